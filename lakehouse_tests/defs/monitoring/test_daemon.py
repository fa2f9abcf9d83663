"""The sensor as Dagster's daemon evaluates it, in a code server."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.sensor import execute_sensor_iteration

from lakehouse_tests.defs.monitoring import located
from lakehouse_tests.defs.monitoring.located import HOME
from lakehouse_tests.defs.monitoring.watched import ORDERS, Watched

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]


def test_a_failed_check_reaches_the_webhook(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME, str(watched.home))
    watched.environment(AIRBYTE__URL="http://127.0.0.1:1", DREMIO__PORT=1, DREMIO__PASSWORD="x")
    watched.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=ORDERS, check_name="total", passed=False)
    )
    target = PythonFileTarget(
        python_file=located.__file__, attribute="defs", working_directory=None, location_name="watched"
    )
    with (
        create_test_daemon_workspace_context(target, watched.instance) as context,
        ThreadPoolExecutor(1) as threads,
    ):
        futures: dict[str, object] = {}
        logger = logging.getLogger("test")
        list(execute_sensor_iteration(context, logger, threads, None, sensor_tick_futures=futures))  # type: ignore[arg-type]
        for future in futures.values():
            future.result()  # type: ignore[attr-defined]
    (state,) = watched.instance.all_instigator_state()
    (tick,) = watched.instance.get_ticks(state.instigator_origin_id, state.selector_id)
    assert (state.instigator_name, tick.status) == ("alerts", TickStatus.SKIPPED), tick.error
    assert "firing, 1 told, 0 waiting" in (tick.skip_reason or "")
    assert watched.receiver.told == [("firing", "CheckFailed/gold/orders/total")]
