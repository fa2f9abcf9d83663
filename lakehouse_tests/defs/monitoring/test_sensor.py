"""The sensor as Dagster calls it, over the whole graph."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.defs.ingestion.last_sync import LAST_SYNC
from lakehouse.defs.monitoring.sensor import alerts_sensor
from lakehouse.defs.resources import LakehouseResource
from lakehouse_tests.observability.alerts.receiver import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    instance = dg.DagsterInstance.local_temp(
        str(tmp_path / "dagster"), overrides={"telemetry": {"enabled": False}}
    )
    yield instance
    instance.dispose()


def tick(graph: dg.Definitions, instance: dg.DagsterInstance, home: Path) -> str:
    context = dg.build_sensor_context(
        instance=instance,
        repository_def=graph.get_repository_def(),
        resources={"lakehouse": LakehouseResource(home=str(home))},
    )
    answer = alerts_sensor(context)
    assert isinstance(answer, dg.SkipReason)
    return answer.skip_message or ""


def test_it_runs_by_default(graph: dg.Definitions) -> None:
    sensor = graph.get_repository_def().get_sensor_def("alerts")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert (sensor.minimum_interval_seconds or 0) <= 30


def test_it_logs_where_nothing_is_declared(
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "lakehouse.env").write_text(
        "LAKEHOUSE_AIRBYTE__URL=http://127.0.0.1:1\nLAKEHOUSE_DREMIO__PORT=1\nLAKEHOUSE_DREMIO__PASSWORD=x\n"
    )
    key = dg.AssetKey(["landing", "shop", "orders"])
    failed = dg.AssetCheckEvaluation(
        asset_key=key, check_name=LAST_SYNC, passed=False, description="no route"
    )
    instance.report_runless_asset_event(failed)
    with caplog.at_level(logging.WARNING, "lakehouse.alerts"):
        # Services that do not answer, and daemons that give no sign of life, are not told at once.
        assert "firing, 1 told, 0 waiting" in tick(graph, instance, tmp_path)
        assert "firing, 0 told, 0 waiting" in tick(graph, instance, tmp_path)
    (line,) = [record.message for record in caplog.records if record.name == "lakehouse.alerts"]
    assert line.startswith("[critical] SyncFailed/shop: the newest sync of connection shop failed: no route")
    assert "docs/alerts.md#syncfailed" in line


def test_the_dead_man_signal_is_given_after_each_look(
    graph: dg.Definitions, instance: dg.DagsterInstance, tmp_path: Path, receiver: Receiver
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "sinks: {log: {type: log}}\nroutes: [{name: all, sinks: [log]}]\n"
        f"deadman_url: {receiver.url}/beat\n"
    )
    (tmp_path / "lakehouse.env").write_text(
        f"LAKEHOUSE_ALERTS__FILE={tmp_path / 'mine.yaml'}\n"
        "LAKEHOUSE_AIRBYTE__URL=http://127.0.0.1:1\nLAKEHOUSE_DREMIO__PORT=1\nLAKEHOUSE_DREMIO__PASSWORD=x\n"
    )
    tick(graph, instance, tmp_path)
    assert receiver.paths == ["/hook/beat"]
    receiver.status = 500
    tick(graph, instance, tmp_path)  # is logged, and no reason to tell less
    receiver.stop()
    tick(graph, instance, tmp_path)
