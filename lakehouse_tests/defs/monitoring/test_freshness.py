"""Freshness alerts: a policy that turns leads to exactly one message, and so does its recovery."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.freshness import FreshnessDaemon

from lakehouse.defs.monitoring.freshness_state import computed
from lakehouse.defs.monitoring.sources.freshness import stale_assets
from lakehouse.observability.alerts.alert import Severity
from lakehouse_tests.defs.monitoring import watched as module
from lakehouse_tests.defs.monitoring.watched import ORDERS, Watched

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]
STALE = "AssetStale/gold/orders"


def test_one_message_when_it_turns_and_one_when_it_recovers(watched: Watched) -> None:
    watched.tick()
    watched.make(ORDERS)
    watched.tick()
    assert watched.receiver.bodies == []
    for _ in range(3):
        watched.tick(minutes=61)
    assert watched.receiver.told == [("firing", STALE), ("firing", STALE)]  # the warning, then the failure
    assert [body["alerts"][0]["labels"]["severity"] for body in watched.receiver.bodies] == [
        "warning",
        "critical",
    ]
    watched.now = datetime.now(UTC)
    watched.make(ORDERS)
    for _ in range(3):
        watched.tick(seconds=15)
    assert watched.receiver.told[2:] == [("resolved", STALE)]


def test_a_receiver_that_is_down_misses_nothing_and_hears_nothing_twice(watched: Watched) -> None:
    watched.make(ORDERS)
    watched.receiver.stop()
    told = watched.tick(hours=3)
    assert (told.firing, told.delivered.sent, told.delivered.waiting) == (1, 0, 1)
    assert "hook: 127.0.0.1" in told.line
    assert "does not answer" in told.line
    watched.tick(seconds=15)
    watched.now = datetime.now(UTC)
    watched.make(ORDERS)
    watched.tick(seconds=15)
    watched.receiver.start()
    watched.receiver.status = 503
    watched.tick(seconds=15)
    assert watched.receiver.bodies == []
    watched.receiver.status = 200
    for _ in range(3):
        watched.tick(seconds=15)
    (body,) = watched.receiver.bodies
    assert watched.receiver.told == [("firing", STALE), ("resolved", STALE)]
    assert body["alerts"][0]["startsAt"] == body["alerts"][1]["startsAt"] <= body["alerts"][1]["endsAt"]


def test_what_an_alert_says(watched: Watched) -> None:
    watched.make(ORDERS)
    watched.now += timedelta(minutes=90)
    alert = watched.alerts(stale_assets)[STALE]
    assert (alert.asset, alert.group, alert.severity) == ("gold/orders", "gold", Severity.WARNING)
    assert alert.owner == "ana@example.com,team:commerce"
    assert alert.runbook("docs/alerts.md") == "docs/alerts.md#assetstale"
    watched.now += timedelta(minutes=90)
    assert watched.alerts(stale_assets)[STALE].severity is Severity.CRITICAL


@pytest.fixture
def daemon(watched: Watched) -> Iterator[object]:
    """Dagster's own freshness daemon over the graph; call it for one of its rounds."""
    target = PythonFileTarget(
        python_file=module.__file__, attribute="defs", working_directory=None, location_name="watched"
    )
    with create_test_daemon_workspace_context(target, watched.instance) as context:
        yield lambda: list(FreshnessDaemon().run_iteration(context))


def test_the_states_are_those_of_dagsters_daemon(watched: Watched, daemon: object) -> None:
    assert callable(daemon)
    made(watched.instance, hours_ago=3)
    daemon()
    for _ in range(3):
        watched.tick(seconds=15)
    assert watched.receiver.told == [("firing", STALE)]
    watched.make(ORDERS)
    watched.tick(seconds=15)
    assert len(watched.receiver.bodies) == 1  # the daemon has not looked yet
    daemon()
    for _ in range(3):
        watched.tick(seconds=15)
    assert watched.receiver.told[1:] == [("resolved", STALE)]


def made(instance: dg.DagsterInstance, *, hours_ago: float) -> None:
    """A materialization of that age."""
    instance.report_runless_asset_event(dg.AssetMaterialization(ORDERS))
    (record,) = instance.fetch_materializations(ORDERS, limit=1).records
    old = record.event_log_entry._replace(timestamp=time.time() - hours_ago * 3600)
    instance.store_event(old)


def test_states_that_no_daemon_tells() -> None:
    now = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
    nine = dg.FreshnessPolicy.cron(
        deadline_cron="0 9 * * *", lower_bound_delta=timedelta(hours=1), timezone="Europe/Paris"
    )
    at = {hour: datetime(2026, 3, 2, hour, 30, tzinfo=UTC) for hour in (6, 7, 9)}
    assert [computed(nine, at[hour], now) for hour in (6, 7, 9)] == ["FAIL", "PASS", "PASS"]
    assert computed(nine, None, now) == "UNKNOWN"
    window = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=1))
    assert [computed(window, at[hour], now) for hour in (9, 7)] == ["FAIL", "FAIL"]
    assert computed(window, now, now) == "PASS"
