"""Slack's incoming webhooks, and what takes the same JSON (Mattermost, Rocket.Chat).

Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr

from lakehouse.observability.alerts.alert import Severity
from lakehouse.observability.alerts.notification import Message
from lakehouse.observability.alerts.sinks.post import post
from lakehouse.observability.alerts.sinks.sink import Sink

_COLOURS = {Severity.WARNING: "warning", Severity.CRITICAL: "danger"}


class SlackSink(Sink):
    """One message with a line for each alert."""

    type: Literal["slack"]
    url: SecretStr

    def send(self, message: Message) -> None:
        colour = _COLOURS[message.severity] if message.firing else "good"
        text = "\n".join(_escaped(line) for line in message.lines())
        attachment = {"color": colour, "text": text, "fallback": message.subject}
        body = {"text": _escaped(message.subject), "attachments": [attachment]}
        post(self.url.get_secret_value(), body)


def _escaped(text: str) -> str:
    """Slack's three control characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
