"""Sensors and schedules that fail, as Dagster's own daemon records their ticks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs

from lakehouse.defs.monitoring.sources.ticks import failed_ticks
from lakehouse_tests.defs.monitoring import watched as module
from lakehouse_tests.defs.monitoring.watched import FLAG, Watched

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]
MORNING = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)


@pytest.fixture
def daemon(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[datetime], None]]:
    """Dagster's sensor and schedule daemons over the graph: call it for one of their rounds."""
    monkeypatch.setenv(FLAG, str(watched.home / "flag"))
    target = PythonFileTarget(
        python_file=module.__file__, attribute="defs", working_directory=None, location_name="watched"
    )
    with (
        create_test_daemon_workspace_context(target, watched.instance) as context,
        ThreadPoolExecutor(1) as threads,
    ):
        logger = logging.getLogger("test")
        iteration_times: dict[str, object] = {}

        def tick(now: datetime) -> None:
            with freeze_time(now):
                futures: dict[str, object] = {}
                list(execute_sensor_iteration(context, logger, threads, None, sensor_tick_futures=futures))  # type: ignore[arg-type]
                for future in futures.values():
                    future.result()  # type: ignore[attr-defined]
                list(launch_scheduled_runs(context, logger, now, iteration_times))  # type: ignore[arg-type]

        yield tick


def test_a_sensor_that_fails_twice_and_a_schedule_that_fails_once(
    watched: Watched, daemon: Callable[[datetime], None]
) -> None:
    flag: Path = watched.home / "flag"
    daemon(MORNING)
    flag.touch()
    daemon(MORNING + timedelta(minutes=1))
    assert watched.alerts(failed_ticks) == {}
    daemon(MORNING + timedelta(hours=2))
    alerts = watched.alerts(failed_ticks)
    assert set(alerts) == {"TickFailed/sensor/flaky", "TickFailed/schedule/hourly"}
    assert "sensor flaky fails: ValueError: the flag is up" in alerts["TickFailed/sensor/flaky"].summary
    flag.unlink()
    daemon(MORNING + timedelta(hours=4))
    assert watched.alerts(failed_ticks) == {}
