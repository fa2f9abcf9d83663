"""Where notifications go: each sink is its declaration in the YAML file and how it sends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lakehouse.observability.alerts.sinks.alertmanager import AlertmanagerSink
from lakehouse.observability.alerts.sinks.log import LogSink
from lakehouse.observability.alerts.sinks.mail import MailSink
from lakehouse.observability.alerts.sinks.slack import SlackSink
from lakehouse.observability.alerts.sinks.webhook import WebhookSink

AnySink = Annotated[
    AlertmanagerSink | WebhookSink | SlackSink | MailSink | LogSink, Field(discriminator="type")
]
