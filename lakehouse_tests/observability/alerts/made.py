"""Alerts and notifications for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lakehouse.observability.alerts.alert import Alert, AlertName, Severity
from lakehouse.observability.alerts.notification import Message, Notification, Transition

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def alert(subject: str = "gold/orders", **changes: Any) -> Alert:
    values = {
        "name": AlertName.ASSET_STALE,
        "subject": subject,
        "severity": Severity.CRITICAL,
        "summary": f"{subject} is late",
        "asset": subject,
        "owner": "team:commerce",
        "group": "gold",
    }
    return Alert(**(values | changes))


def message(*transitions: tuple[Transition, Alert], sink: str = "sink", at: datetime = NOON) -> Message:
    told = [
        Notification(number, sink, "all", transition, alert, at)
        for number, (transition, alert) in enumerate(transitions, 1)
    ]
    return Message("all", told, "docs/alerts.md", at)
