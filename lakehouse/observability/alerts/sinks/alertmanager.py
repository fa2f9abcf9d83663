"""Prometheus Alertmanager, which groups, routes and silences by itself.

It forgets an alert when the end that it was told has passed; so what fires is told again at every look, with an
end a little ahead. When nobody looks any more, everything ends there by itself, but for `Watchdog`, on whose end
it is to be told to shout.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml, `postAlerts`
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import SecretStr

from lakehouse.observability.alerts.alert import Alert
from lakehouse.observability.alerts.notification import Message
from lakehouse.observability.alerts.sinks.post import post
from lakehouse.observability.alerts.sinks.sink import Sink

AHEAD = timedelta(minutes=4)
"""Several looks; Prometheus itself uses four of its intervals."""


class AlertmanagerSink(Sink):
    """`POST <url>/api/v2/alerts`."""

    type: Literal["alertmanager"]
    url: str
    user: str | None = None
    password: SecretStr | None = None

    def send(self, message: Message) -> None:
        # Of an alert that fired and ended since, only the end: it has one state there.
        newest = {told.alert.key: told for told in message.notifications}
        self._post(
            [
                _posted(told.alert, told.alert.ends_at or message.at + AHEAD, message.runbooks)
                for told in newest.values()
            ]
        )

    def remind(self, alerts: Sequence[Alert], *, now: datetime, runbooks: str) -> None:
        if alerts:
            self._post([_posted(alert, now + AHEAD, runbooks) for alert in alerts])

    def _post(self, alerts: list[dict[str, Any]]) -> None:
        auth = (self.user, self.password.get_secret_value()) if self.user and self.password else None
        post(f"{self.url.rstrip('/')}/api/v2/alerts", alerts, auth=auth)


def _posted(alert: Alert, ends_at: datetime, runbooks: str) -> dict[str, Any]:
    starts = {"startsAt": alert.starts_at.isoformat()} if alert.starts_at else {}
    return {
        "labels": alert.labels,
        "annotations": {"summary": alert.summary, "runbook_url": alert.runbook(runbooks)},
        **starts,
        "endsAt": ends_at.isoformat(),
    }
