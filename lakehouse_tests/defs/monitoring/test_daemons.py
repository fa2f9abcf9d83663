"""Parts of the daemon that are silent or report errors."""

from __future__ import annotations

import time

import pytest
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from lakehouse.defs.monitoring.sources.daemons import failing_daemons
from lakehouse.observability.alerts.alert import Severity
from lakehouse_tests.defs.monitoring.watched import Watched

pytestmark = pytest.mark.slow


def beat(watched: Watched, daemon: str, *, ago: float = 0, error: str | None = None) -> None:
    errors = [SerializableErrorInfo(error, [], None)] if error else []
    watched.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - ago, daemon, "id", errors))


def test_silent_ones_and_those_with_errors(watched: Watched) -> None:
    required = watched.instance.get_required_daemon_types()
    for daemon in required:
        beat(watched, daemon)
    assert watched.alerts(failing_daemons) == {}
    beat(watched, "SENSOR", error="no route to the code server\n")
    beat(watched, "BACKFILL", ago=3600)
    alerts = watched.alerts(failing_daemons)
    assert {key: alert.severity for key, alert in alerts.items()} == {
        "DaemonDown/SENSOR": Severity.WARNING,
        "DaemonDown/BACKFILL": Severity.CRITICAL,
    }
    assert alerts["DaemonDown/SENSOR"].summary.endswith("SENSOR: no route to the code server")
    assert alerts["DaemonDown/BACKFILL"].summary.endswith("gives no sign of life")
