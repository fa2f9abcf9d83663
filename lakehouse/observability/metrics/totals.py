"""Totals that only grow, kept in the metadata database together with how far their source was read.

What happened is stored elsewhere, but not for ever: Dremio forgets old jobs, `lakehouse retention` deletes old runs. A
counter that was summed over what is left would fall, which Prometheus takes for a restart and counts again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metadata.records import put
from lakehouse.observability.metadata.tables import metric_totals
from lakehouse.observability.metrics.metric import Distribution, Labels, Metric
from lakehouse.observability.metrics.source import Reading


@dataclass(frozen=True)
class Observation:
    """Something that happened once: added to a counter, or put in a histogram's bucket."""

    metric: Metric
    labels: Labels
    value: float = 1.0


@dataclass(frozen=True)
class News:
    """What happened since a cursor, and the cursor from which to ask for what happens next."""

    cursor: Any
    observed: Sequence[Observation]


Follow = Callable[[Any], News]
"""Gives what happened since the cursor (None: since ever); each happening once, whatever the cursors before were."""


def totals(database: MetadataDatabase, name: str, metrics: Iterable[Metric], follow: Follow) -> Reading:
    """The totals of one source as of now.

    Several processes may do this at once: what another one added meanwhile is taken over, not added twice.

    Raises:
        TransientError, PermanentError: as `MetadataDatabase.transaction` does, and what `follow` raises.
    """
    by_name = {metric.name: metric for metric in metrics}
    while True:
        cursor, known = _stored(database, name)
        news = follow(cursor)
        found = _read(by_name, known)
        if not news.observed and news.cursor == cursor:
            return _reading(by_name, found)
        for one in news.observed:
            _add(found, one)
        if _store(database, name, cursor, news.cursor, found):
            return _reading(by_name, found)


_Found = dict[tuple[str, Labels], float | Distribution]


def _add(found: _Found, one: Observation) -> None:
    at = one.metric.name, one.labels
    if one.metric.kind != "histogram":
        found[at] = float(found.get(at, 0.0)) + one.value  # type: ignore[arg-type]
        return
    into = found.setdefault(at, Distribution([0] * (len(one.metric.bounds) + 1)))
    if isinstance(into, Distribution):
        into.counts[bisect_left(one.metric.bounds, one.value)] += 1
        into.sum += one.value


def _reading(by_name: dict[str, Metric], found: _Found) -> Reading:
    return {
        metric: [(labels, value) for (of, labels), value in found.items() if of == name]
        for name, metric in by_name.items()
    }


def _stored(database: MetadataDatabase, name: str) -> tuple[Any, list[Any]]:
    with database.transaction() as connection:
        row = connection.execute(sa.select(metric_totals).where(metric_totals.c.source == name)).one_or_none()
    return (row.cursor, row.totals) if row else (None, [])


def _read(by_name: dict[str, Metric], stored: list[Any]) -> _Found:
    found: _Found = {}
    for name, labels, value in stored:
        metric = by_name.get(name)
        if metric is None or len(metric.labels) != len(labels):
            continue  # an earlier version's
        if not isinstance(value, dict):
            found[name, tuple(labels)] = value
        elif len(value["counts"]) == len(metric.bounds) + 1:
            found[name, tuple(labels)] = Distribution(**value)
    return found


def _store(database: MetadataDatabase, name: str, before: Any, cursor: Any, found: _Found) -> bool:
    """False when another process was faster."""
    rows = [
        [of, labels, asdict(value) if isinstance(value, Distribution) else value]
        for (of, labels), value in found.items()
    ]
    with database.transaction() as connection:
        query = sa.select(metric_totals.c.cursor).where(metric_totals.c.source == name).with_for_update()
        stored = connection.execute(query).scalar_one_or_none()
        if stored != before:
            return False
        put(connection, metric_totals, [{"source": name, "cursor": cursor, "totals": rows}])
    return True
