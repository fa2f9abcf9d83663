"""One look: ask every source what is wrong, keep it, and tell what changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lakehouse.defs.monitoring.look import Look
from lakehouse.defs.monitoring.sources.checks import failed_checks
from lakehouse.defs.monitoring.sources.daemons import failing_daemons
from lakehouse.defs.monitoring.sources.disks import filling_disks
from lakehouse.defs.monitoring.sources.freshness import stale_assets
from lakehouse.defs.monitoring.sources.runs import failed_runs
from lakehouse.defs.monitoring.sources.services import airbyte_answers, slow_queries
from lakehouse.defs.monitoring.sources.ticks import failed_ticks
from lakehouse.errors import LakehouseError
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity
from lakehouse.observability.alerts.silence import silenced_by
from lakehouse.observability.alerts.transitions import Found, changes

if TYPE_CHECKING:
    from lakehouse.observability.alerts.deliver import Delivered
    from lakehouse.observability.alerts.notification import Notification
    from lakehouse.observability.alerts.store import AlertStore

_LOG = logging.getLogger("lakehouse.alerts")
_LOOKED, _LOOK = "looked_at", "look"


@dataclass(frozen=True)
class Source:
    """Where alerts come from; not asked again before `every` has passed, and its alerts go on meanwhile."""

    name: str
    alerts: Callable[[Look], Iterable[Alert]]
    every: timedelta = timedelta()


SOURCES = (
    Source("freshness", stale_assets),
    Source("runs", failed_runs),
    Source("checks", failed_checks),
    Source("ticks", failed_ticks),
    Source("daemons", failing_daemons),
    Source("disks", filling_disks, timedelta(minutes=1)),
    Source("airbyte", airbyte_answers, timedelta(seconds=30)),
    Source("dremio", slow_queries, timedelta(minutes=1)),
)


@dataclass(frozen=True)
class Evaluated:
    """What one look came to."""

    firing: int
    delivered: Delivered

    @property
    def line(self) -> str:
        """For people, as the reason of the tick."""
        told = f"{self.firing} firing, {self.delivered.sent} told, {self.delivered.waiting} waiting"
        return "; ".join([told, *self.delivered.problems])


def evaluate(look: Look, store: AlertStore, sources: Iterable[Source] = SOURCES) -> Evaluated:
    """Ask the sources that are due, keep what they found and what is to be told of it, and hand it to the sinks.

    A source that cannot look is an alert itself, and what it found before goes on.
    """
    from lakehouse.observability.alerts.deliver import deliver

    look.kept = store.kept()
    looked_at: dict[str, str] = dict(look.kept.get(_LOOKED, {}))
    found: list[Found] = []
    looked: set[str] = set()
    for source in sources:
        if not _is_due(source, looked_at.get(source.name), look.now):
            continue
        try:
            found += [Found(source.name, alert) for alert in source.alerts(look)]
            looked |= {source.name, f"{source.name} asked"}
        except LakehouseError as error:
            found.append(Found(f"{source.name} asked", _cannot_look(source, error)))
        looked_at[source.name] = look.now.isoformat()
    look.kept[_LOOKED] = looked_at
    alerting, silences = look.alerting, store.silences(look.now)
    found += [Found("undelivered", alert) for alert in undelivered(look, store.undelivered())]
    looked.add("undelivered")
    look.kept[_LOOK] = look.now.isoformat()
    recorded = store.record(
        look.now,
        look.kept,
        lambda before: changes(
            before,
            found,
            looked,
            now=look.now,
            routes_of=alerting.routes_of,
            silenced=silenced_by(silences),
            hold=alerting.hold,
        ),
    )
    return Evaluated(len(recorded.open), deliver(store, alerting, look.now))


def undelivered(look: Look, waiting: Iterable[Notification]) -> Iterable[Alert]:
    """One alert for each sink that has taken nothing for a while, for the other sinks to tell."""
    from lakehouse.observability.alerts.deliver import is_held

    # What quiet hours held back at the look before has not been offered to its sink yet.
    before = look.kept.get(_LOOK)
    late = [
        told
        for told in waiting
        if look.now - told.at >= look.alerting.undelivered_after
        and before
        and not is_held(told, look.alerting, datetime.fromisoformat(before))
    ]
    for sink in sorted({told.sink for told in late}):
        since = min(told.at for told in late if told.sink == sink)
        declared = (
            "it is not declared any more" if sink not in look.alerting.sinks else "it does not take them"
        )
        yield Alert(
            name=AlertName.NOTIFICATIONS_UNDELIVERED,
            subject=sink,
            severity=Severity.CRITICAL,
            summary=f"notifications for sink {sink} have waited since {since:%H:%M} UTC: {declared}",
        )


def _is_due(source: Source, looked_at: str | None, now: datetime) -> bool:
    if looked_at is None:
        return True
    return not timedelta() <= now - datetime.fromisoformat(looked_at) < source.every  # clocks may be set back


def _cannot_look(source: Source, error: LakehouseError) -> Alert:
    return Alert(
        name=AlertName.SERVICE_DOWN,
        subject=source.name,
        severity=Severity.CRITICAL,
        summary=str(error),
    )


def tell_outside(look: Look) -> None:
    """The dead-man signal: `deadman_url` is called, for what is there to shout when the calls stop."""
    import httpx

    from lakehouse.observability.alerts.sinks.post import SECONDS

    if look.alerting.deadman_url is None:
        return
    try:
        httpx.get(look.alerting.deadman_url.get_secret_value(), timeout=SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        _LOG.warning("the dead-man signal was not taken: %s", type(error).__name__)
