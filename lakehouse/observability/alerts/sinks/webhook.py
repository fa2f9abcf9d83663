"""Any HTTP receiver, in the body of Alertmanager's webhook, so that what reads those reads ours.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from pydantic import Field, SecretStr

from lakehouse.observability.alerts.notification import Message, Notification
from lakehouse.observability.alerts.sinks.post import post
from lakehouse.observability.alerts.sinks.sink import Sink

_NOT_YET = datetime(1, 1, 1, tzinfo=UTC)
"""Go's zero time, which Alertmanager sends as the end of what has none."""


class WebhookSink(Sink):
    """`POST url`; a message that is sent twice has the same alerts with the same `fingerprint` and `startsAt`."""

    type: Literal["webhook"]
    url: SecretStr
    headers: dict[str, SecretStr] = Field(default_factory=dict)

    def send(self, message: Message) -> None:
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        post(self.url.get_secret_value(), webhook_body(message), headers=headers)


def webhook_body(message: Message) -> dict[str, Any]:
    """Version 4 of Alertmanager's webhook; an alert that fired and ended before it could be told is in it twice."""
    alerts = [_alert(told, message.runbooks) for told in message.notifications]
    labels = [alert["labels"] for alert in alerts]
    common = {
        name: value for name, value in labels[0].items() if all(one.get(name) == value for one in labels)
    }
    return {
        "version": "4",
        "groupKey": message.route,
        "truncatedAlerts": 0,
        "status": "firing" if message.firing else "resolved",
        "receiver": message.notifications[0].sink,
        "groupLabels": {},
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": alerts,
    }


def _alert(told: Notification, runbooks: str) -> dict[str, Any]:
    alert = told.alert
    return {
        "status": told.transition,
        "labels": alert.labels,
        "annotations": {"summary": alert.summary, "runbook_url": alert.runbook(runbooks)},
        "startsAt": (alert.starts_at or told.at).isoformat(),
        "endsAt": (alert.ends_at or _NOT_YET).isoformat(),
        "generatorURL": "",
        "fingerprint": sha256(alert.key.encode()).hexdigest()[:16],
    }
