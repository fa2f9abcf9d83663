"""Hand notifications to sinks; what a sink does not take stays for the next time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from lakehouse.errors import LakehouseError, PermanentError
from lakehouse.observability.alerts.alert import watchdog
from lakehouse.observability.alerts.declaration import Alerting
from lakehouse.observability.alerts.notification import Message, Notification

if TYPE_CHECKING:
    from lakehouse.observability.alerts.store import AlertStore


@dataclass
class Delivered:
    """What became of one round."""

    sent: int = 0
    """Notifications that sinks have now."""
    waiting: int = 0
    """That wait: for the end of quiet hours, or for a sink."""
    problems: list[str] = field(default_factory=list)
    """A line for each sink that did not take what it was to get."""


def deliver(store: AlertStore, alerting: Alerting, now: datetime) -> Delivered:
    """One round over every sink: its messages, then what still fires. A sink that fails keeps no other one waiting.

    A message is forgotten only after its sink has it: a process that is killed between the two sends it again.
    """
    result = Delivered()
    undelivered, open_ = store.undelivered(), store.open()
    for name, sink in alerting.sinks.items():
        waiting = {told.id: told for told in undelivered if told.sink == name}
        try:
            for message in _messages(_due(waiting.values(), alerting, now), alerting, now):
                try:
                    sink.send(message)
                except PermanentError as error:  # of this message; the next one may do
                    result.problems.append(f"{name}: {error}")
                    continue
                store.delivered([told.id for told in message.notifications])
                for told in message.notifications:
                    del waiting[told.id]
                    result.sent += 1
            untold = {told.alert.key for told in waiting.values()}
            fires = [one.alert for key, one in open_.items() if name in one.told and key not in untold]
            sink.remind([*fires, watchdog()], now=now, runbooks=alerting.runbooks)
        except LakehouseError as error:
            result.problems.append(f"{name}: {error}")
    result.waiting = len(undelivered) - result.sent
    return result


def _due(waiting: Iterable[Notification], alerting: Alerting, now: datetime) -> list[Notification]:
    """What quiet hours do not hold back; one that gets through takes along what came before of the same alert."""
    mine = list(waiting)
    through = {told.alert.key for told in mine if not is_held(told, alerting, now)}
    return [told for told in mine if told.alert.key in through]


def is_held(told: Notification, alerting: Alerting, now: datetime) -> bool:
    """Whether it waits for the end of its route's quiet hours."""
    route = alerting.route(told.route)
    return bool(route and route.quiet_hours and route.quiet_hours.hold(told.alert.severity, now))


def _messages(due: Sequence[Notification], alerting: Alerting, now: datetime) -> Iterator[Message]:
    """One for each route, and within it for each value of what the route groups by."""

    def group(told: Notification) -> tuple[str, ...]:
        route = alerting.route(told.route)
        by = route.group_by if route else ()
        return told.route, *(str(getattr(told.alert, name)) for name in by)

    for (route, *_), members in groupby(sorted(due, key=group), key=group):
        yield Message(route, list(members), alerting.runbooks, now)
