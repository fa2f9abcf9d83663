"""From what fires now and what fired before to what has to be told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lakehouse.observability.alerts.alert import Alert, AlertName, Severity
from lakehouse.observability.alerts.notification import Transition


@dataclass(frozen=True)
class Found:
    """An alert that a source sees now."""

    source: str
    alert: Alert


@dataclass(frozen=True)
class Open:
    """An alert that fires, and which sinks were told so."""

    source: str
    alert: Alert
    told: Mapping[str, Severity] = field(default_factory=dict)
    """By sink the severity that it was told; none: it is held back, or silenced."""
    routes: Mapping[str, str] = field(default_factory=dict)
    """By sink the route by which it was told."""


@dataclass(frozen=True)
class Told:
    """A notification that is to be made."""

    sink: str
    route: str
    transition: Transition
    alert: Alert


@dataclass(frozen=True)
class Changes:
    open: Sequence[Open]
    """Every alert that fires now."""
    ended: Collection[str]
    """Keys of those that fire no more."""
    told: Sequence[Told]


def changes(
    before: Mapping[str, Open],
    found: Sequence[Found],
    looked: Collection[str],
    *,
    now: datetime,
    routes_of: Callable[[Alert], Mapping[str, str]],
    silenced: Callable[[Alert], bool],
    hold: Mapping[AlertName, timedelta],
) -> Changes:
    """Each sink is told once that an alert fires, again when it gets worse, and once that it is over.

    An alert of a source that could not look (`looked` has it not) goes on. Who was never told that an alert fires is
    not told that it is over.
    """
    firing: dict[str, Found] = {}
    for one in found:  # several sources may see the same thing: the worst of what they say counts
        known = firing.get(one.alert.key)
        if known is None or one.alert.severity.rank > known.alert.severity.rank:
            firing[one.alert.key] = one
    open_: list[Open] = []
    told: list[Told] = []
    for key, one in firing.items():
        earlier = before.get(key)
        starts_at = earlier.alert.starts_at if earlier else one.alert.starts_at or now
        current = replace(
            earlier or Open(one.source, one.alert),
            source=one.source,
            alert=one.alert.model_copy(update={"starts_at": starts_at}),
        )
        held = now - (starts_at or now) < hold.get(current.alert.name, timedelta())
        if not held and not silenced(current.alert):
            news = _news(current, routes_of(current.alert))
            told += [Told(sink, route, "firing", current.alert) for sink, route in news.items()]
            current = replace(
                current,
                told={**current.told, **dict.fromkeys(news, current.alert.severity)},
                routes={**current.routes, **news},
            )
        open_.append(current)
    ended = [key for key, was in before.items() if key not in firing and was.source in looked]
    for key in ended:
        was = before[key]
        ends_at = max(now, was.alert.starts_at or now)  # clocks may be set back
        over = was.alert.model_copy(update={"ends_at": ends_at})
        told += [Told(sink, was.routes[sink], "resolved", over) for sink in was.told]
    open_ += [was for key, was in before.items() if key not in firing and was.source not in looked]
    return Changes(open_, ended, told)


def _news(current: Open, routes: Mapping[str, str]) -> dict[str, str]:
    """The sinks that do not know yet how bad it is."""
    rank = current.alert.severity.rank
    return {
        sink: route
        for sink, route in routes.items()
        if sink not in current.told or current.told[sink].rank < rank
    }
