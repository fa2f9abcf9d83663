"""Alerts: what fires, what no sink has taken yet, what is silenced."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from lakehouse.api.operation import Nothing
from lakehouse.api.platform import Platform


class Firing(msgspec.Struct):
    key: str
    name: str
    severity: str
    asset: str
    owner: str
    group: str
    starts_at: datetime | None
    summary: str
    told: list[str]
    """The sinks that have it."""


class Undelivered(msgspec.Struct):
    sink: str
    key: str
    transition: str
    since: datetime


class Silenced(msgspec.Struct):
    pattern: str
    until: datetime


class AlertList(msgspec.Struct):
    firing: list[Firing]
    undelivered: list[Undelivered]
    silences: list[Silenced]


class Alerts:
    """The operation."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def list_alerts(self, _: Nothing) -> AlertList:
        store = self._platform.alerts
        firing = [
            Firing(
                one.alert.key,
                one.alert.name.value,
                one.alert.severity.value,
                one.alert.asset,
                one.alert.owner,
                one.alert.group,
                one.alert.starts_at,
                one.alert.summary,
                sorted(one.told),
            )
            for one in store.open().values()
        ]
        waiting = [
            Undelivered(told.sink, told.alert.key, told.transition, told.at) for told in store.undelivered()
        ]
        silences = [Silenced(silence.pattern, silence.until) for silence in store.silences(datetime.now(UTC))]
        return AlertList(firing, waiting, silences)
