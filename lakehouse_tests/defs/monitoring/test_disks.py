"""Disks that fill, by what the real disk of the test says."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from lakehouse.defs.monitoring.sources.disks import filling_disks
from lakehouse.observability.alerts.alert import Severity
from lakehouse_tests.defs.monitoring.watched import Watched

pytestmark = pytest.mark.slow


def limits(watched: Watched, warning: float, critical: float) -> None:
    disk = {"warning_percent": warning, "critical_percent": critical}
    watched.declare(sinks={"log": {"type": "log"}}, disk=disk)


def test_by_its_limits(watched: Watched, tmp_path: Path) -> None:
    used = psutil.disk_usage(str(tmp_path)).percent
    limits(watched, 100, 100)
    assert watched.alerts(filling_disks) == {}
    limits(watched, used / 2, 100)
    (alert,) = watched.alerts(filling_disks).values()  # one: the lake is on the same disk
    assert (alert.key, alert.severity) == ("DiskFilling/home", Severity.WARNING)
    assert f"the disk of {tmp_path} is {used:.0f} % full" in alert.summary
    limits(watched, used / 4, used / 2)
    (alert,) = watched.alerts(filling_disks).values()
    assert alert.severity is Severity.CRITICAL


def test_a_bucket_and_a_home_that_is_not_there_yet(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    limits(watched, 0.001, 100)
    monkeypatch.setenv("LAKEHOUSE_LAKE_URL", "s3://datalake")
    look = watched.look()
    look.settings = look.settings.model_copy(update={"home": watched.home / "not" / "yet"})
    assert set(watched.alerts(filling_disks, look)) == {"DiskFilling/home"}
