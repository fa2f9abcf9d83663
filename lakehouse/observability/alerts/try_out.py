"""A test alert and its end for one sink, past the store, the routes and quiet hours."""

from __future__ import annotations

from datetime import datetime

from lakehouse.observability.alerts.alert import Alert, AlertName, Severity
from lakehouse.observability.alerts.declaration import Alerting
from lakehouse.observability.alerts.notification import Message, Notification, Transition


def try_out(alerting: Alerting, sink: str, now: datetime) -> None:
    """Send both. Raises LakehouseError: the sink's."""
    alert = Alert(
        name=AlertName.TEST,
        subject=sink,
        severity=Severity.WARNING,
        summary="a test by `lakehouse alerts test`; nothing is wrong",
        starts_at=now,
    )
    states: dict[Transition, Alert] = {"firing": alert, "resolved": alert.model_copy(update={"ends_at": now})}
    for transition, state in states.items():
        told = Notification(int(now.timestamp()), sink, "test", transition, state, now)
        alerting.sinks[sink].send(Message("test", [told], alerting.runbooks, now))
