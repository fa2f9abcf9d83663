"""A real Prometheus scrapes the REST API over running services, and what is wrong comes to people by Alertmanager."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
import yaml

from lakehouse.api.application import application
from lakehouse.api.platform import Platform
from lakehouse.observability.metadata.records import put
from lakehouse.observability.metadata.tables import sync_history
from lakehouse.settings import load_settings
from lakehouse_tests.api.served import served
from lakehouse_tests.embedded.airbyte.fixtures import eventually
from lakehouse_tests.engine import PASSWORD, USER, Engine, free_port, running_engine
from lakehouse_tests.observability.alerts.alertmanager import running_alertmanager
from lakehouse_tests.observability.alerts.receiver import Receiver
from lakehouse_tests.observability.metrics.prometheus import Prometheus, running_prometheus
from lakehouse_tests.promql import DOCKER

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]
TOKEN = "a-token-of-the-tests-0001"
SYNC = "LakehouseSyncFailed/shop"
AIRBYTE = "LakehouseSourceDown/airbyte"
"""Nothing answers at its address."""


@dataclass
class Site:
    platform: Platform
    engine: Engine
    client: httpx.Client
    prometheus: Prometheus
    people: Receiver
    jobs: int = 0

    def sync(self, status: str) -> None:
        """A sync ended so."""
        self.jobs += 1
        now = datetime.now(UTC)
        row = {
            "connection": "shop", "job_id": self.jobs, "started": now, "ended": now + timedelta(seconds=3),
            "status": status, "rows": 100, "bytes": 4000, "failure": "",
        }  # fmt: skip
        with self.platform.database.transaction() as told:
            put(told, sync_history, [row])

    def wait_for_source(self, name: str) -> None:
        eventually(lambda: self.prometheus.query("lakehouse_metrics_source_up").get(name) == 1, 60)

    def wait_until_told(self, receiver: str, status: str, alert: str) -> None:
        eventually(lambda: (receiver, status) in self.told(alert), 90)

    def told(self, alert: str) -> list[tuple[str, str]]:
        """Which receiver was told what of the alert, in order."""
        bodies = list(zip(self.people.paths, self.people.bodies, strict=False))
        return [
            (path.strip("/"), one["status"])
            for path, body in bodies
            for one in body["alerts"]
            if f"{one['labels']['alertname']}/{one['labels']['subject']}" == alert
        ]


def routed_to(people: Receiver) -> dict[str, Any]:
    """The shipped routes, at once, with a webhook in place of each receiver's service."""
    config: dict[str, Any] = yaml.safe_load((DOCKER / "alertmanager" / "alertmanager.yml").read_text())
    config["route"] |= {"group_wait": "0s", "group_interval": "200ms"}
    for receiver in config["receivers"]:
        hook = {"url": f"http://127.0.0.1:{people.port}/{receiver['name']}", "send_resolved": True}
        receiver.clear()
        receiver |= {"name": hook["url"].rsplit("/", 1)[1], "webhook_configs": [hook]}
    return config


def scraping(folder: Path, target: str, alertmanager: int) -> dict[str, Any]:
    """The shipped configuration, every second, with the shipped rules, which wait a second before they fire."""
    folder.mkdir()
    rules = (DOCKER / "prometheus" / "rules.yml").read_text()
    (folder / "rules.yml").write_text(re.sub(r"for: \d+m", "for: 1s", rules))
    (folder / "token").write_text(TOKEN)
    config: dict[str, Any] = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    job = config["scrape_configs"][0]
    job["authorization"]["credentials_file"] = str(folder / "token")
    job["static_configs"] = [{"targets": [target]}]
    config["scrape_configs"] = [job]
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]
    return config


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        engine = stack.enter_context(running_engine(tmp_path_factory.mktemp("dremio")))
        values = {
            "DREMIO__PORT": engine.port, "DREMIO__FLIGHT_PORT": engine.flight_port,
            "DREMIO__USER": USER, "DREMIO__PASSWORD": PASSWORD,
            "AIRBYTE__URL": f"http://127.0.0.1:{free_port()}",
        }  # fmt: skip
        (folder / "lakehouse.env").write_text("".join(f"LAKEHOUSE_{k}={v}\n" for k, v in values.items()))
        (folder / "dagster").mkdir()
        instance = stack.enter_context(dg.DagsterInstance.local_temp(str(folder / "dagster")))
        platform = Platform(load_settings(folder), instance)
        client = stack.enter_context(served(application(platform, [TOKEN], 10_000), TOKEN))
        people = Receiver().start()
        stack.callback(people.stop)
        manager = stack.enter_context(running_alertmanager(folder / "alertmanager", routed_to(people)))
        target = f"{client.base_url.host}:{client.base_url.port}"
        config = scraping(folder / "prometheus", target, manager.port)
        prometheus = stack.enter_context(running_prometheus(folder / "prometheus", config))
        yield Site(platform, engine, client, prometheus, people)


def test_prometheus_takes_what_the_api_serves(site: Site) -> None:
    site.engine.rows("SELECT 1")
    eventually(lambda: site.prometheus.query('up{job="lakehouse"}') == {"": 1}, 60)
    for name in ("dremio", "datasets", "runs"):
        site.wait_for_source(name)
    assert site.prometheus.query("lakehouse_metrics_source_up")["airbyte"] == 0
    eventually(lambda: site.prometheus.query("api_requests_per_second").get("/metrics", 0) > 0, 60)
    assert site.prometheus.query("count(lakehouse_asset_freshness_state)")[""] > 100


def test_what_is_wrong_comes_to_people_and_its_end_too(site: Site) -> None:
    site.sync("failed")
    eventually(lambda: {site.prometheus.alerts().get(one) for one in (SYNC, AIRBYTE)} == {"firing"}, 90)
    for alert in (SYNC, AIRBYTE):
        for receiver in ("data-team", "on-call"):
            site.wait_until_told(receiver, "firing", alert)
    site.sync("succeeded")
    for receiver in ("data-team", "on-call"):
        site.wait_until_told(receiver, "resolved", SYNC)
    alerts = site.prometheus.alerts()
    assert SYNC not in alerts
    assert alerts[AIRBYTE] == "firing"
    assert site.prometheus.query("airbyte_sync_failures_total") == {"shop": 1}


def test_counters_go_on_after_a_restart_of_the_api(site: Site) -> None:
    site.sync("succeeded")
    eventually(lambda: "airbyte_records_synced_total" in site.client.get("/metrics").text, 60)
    before = site.prometheus.query("airbyte_records_synced_total").get("shop", 0)
    with served(
        application(Platform(site.platform.settings, site.platform.instance), [TOKEN], 10), TOKEN
    ) as again:
        line = 'airbyte_records_synced_total{connection="shop"} '
        eventually(lambda: line in again.get("/metrics").text, 60)
        text = again.get("/metrics").text
    assert float(text.partition(line)[2].split()[0]) == 100.0 * site.jobs >= before
