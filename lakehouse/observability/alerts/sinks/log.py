"""The log of the process that looks for alerts: always at hand."""

from __future__ import annotations

import logging
from typing import Literal

from lakehouse.observability.alerts.alert import Severity
from lakehouse.observability.alerts.notification import Message
from lakehouse.observability.alerts.sinks.sink import Sink

_LOG = logging.getLogger("lakehouse.alerts")


class LogSink(Sink):
    """Logger `lakehouse.alerts`: one line an alert; errors are critical ones."""

    type: Literal["log"]

    def send(self, message: Message) -> None:
        for told in message.notifications:
            critical = told.transition == "firing" and told.alert.severity is Severity.CRITICAL
            _LOG.log(logging.ERROR if critical else logging.WARNING, message.line(told))
