"""Parts of Dagster's daemon that have stopped, or say that they fail."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.defs.monitoring.look import Look
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity


def failing_daemons(look: Look) -> Iterator[Alert]:
    """One alert a daemon. When all of them are dead nobody looks any more: see the dead-man signal."""
    for name, status in look.instance.get_daemon_statuses().items():
        beat = status.last_heartbeat
        if not status.required or (status.healthy and not (beat and beat.errors)):
            continue
        if status.healthy and beat and beat.errors:
            severity, told = Severity.WARNING, " ".join(beat.errors[0].message.split())
        else:
            severity, told = Severity.CRITICAL, "it gives no sign of life"
        yield Alert(
            name=AlertName.DAEMON_DOWN,
            subject=name,
            severity=severity,
            summary=f"Dagster's daemon {name}: {told}",
        )
