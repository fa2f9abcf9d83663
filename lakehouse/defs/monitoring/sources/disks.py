"""Disks that fill: those of the home directory and of a lake in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

from lakehouse.defs.monitoring.look import Look
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity


def filling_disks(look: Look) -> Iterator[Alert]:
    """One alert a disk, even where both are on it; a bucket has no end."""
    places = {"home": look.settings.home}
    if look.settings.lake.startswith("file://"):
        places["lake"] = Path(look.settings.lake.removeprefix("file://"))
    seen: set[int] = set()
    for what, folder in places.items():
        there = next(path for path in (folder, *folder.parents) if path.exists())
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        usage = psutil.disk_usage(str(there))
        limits = look.alerting.disk
        if usage.percent < limits.warning_percent:
            continue
        critical = usage.percent >= limits.critical_percent
        yield Alert(
            name=AlertName.DISK_FILLING,
            subject=what,
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            summary=f"the disk of {there} is {usage.percent:.0f} % full; {usage.free / 1e9:.1f} GB are free",
        )
