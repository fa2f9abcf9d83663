"""What has to run: assets never materialized, and those with changes upstream since they were.

Storage ids of materialization events are the clock. An event that tells of no changed row
(`lakehouse/changed_rows` 0) asks nothing of those downstream.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg
from dagster import DagsterEventType

from lakehouse.defs.automation.plan import Node
from lakehouse.defs.bronze.report import CHANGED

Window = tuple[str, str]
MAX_WINDOWS = 8


@dataclass(frozen=True)
class Demand:
    """Assets of one stage that must run, and for which days; `windows` is empty for unpartitioned ones."""

    keys: tuple[dg.AssetKey, ...]
    windows: tuple[Window, ...]


class Clock:
    """When assets changed, read from the instance's events; made anew for every look."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._changes: dict[dg.AssetKey, dict[str, int]] = {}

    def last(self, key: dg.AssetKey) -> int:
        """Storage id of the newest materialization; 0 when there is none."""
        event = self._instance.get_latest_materialization_event(key)
        record = self._instance.fetch_materializations(key, limit=1).records if event else []
        return record[0].storage_id if record else 0

    def by_day(self, key: dg.AssetKey) -> dict[str, int]:
        """Partition -> storage id of its newest materialization."""
        return dict(
            self._instance.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
        )

    def changed(self, key: dg.AssetKey, since: int) -> bool:
        """Whether a materialization after `since` tells of changes."""
        records = self._instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, after_storage_id=since), limit=1000
        ).records
        return any(_tells_of_changes(record.asset_materialization) for record in records)

    def changed_days(self, key: dg.AssetKey, done: dict[str, int]) -> set[str]:
        """Days whose newest event tells of changes and is newer than what `done` has for the day."""
        newer = {day: at for day, at in self.by_day(key).items() if at > done.get(day, 0)}
        if not newer:
            return set()
        found: set[str] = set()
        ids = sorted(newer.values())
        for start in range(0, len(ids), 500):
            records = self._instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[start : start + 500]), limit=500
            ).records
            found |= {
                record.partition_key
                for record in records
                if record.partition_key and _tells_of_changes(record.asset_materialization)
            }
        return found


def demand(nodes: Iterable[Node], instance: dg.DagsterInstance) -> Demand | None:
    """What of one stage's assets (upstream first, one partitions definition) must run; None for nothing."""
    clock = Clock(instance)
    wanted: dict[dg.AssetKey, set[str]] = {}
    for node in nodes:
        days = _days(node, clock, wanted) if node.partitions else _unpartitioned(node, clock, wanted)
        if days:
            wanted[node.key] = days
    if not wanted:
        return None
    every_day = set().union(*wanted.values()) - {_ALL}
    return Demand(tuple(wanted), windows(every_day))


_ALL = "all"


def _unpartitioned(node: Node, clock: Clock, wanted: dict[dg.AssetKey, set[str]]) -> set[str]:
    last = clock.last(node.key)
    stale = (
        not last
        or any(upstream in wanted for upstream in node.upstream)
        or any(clock.changed(upstream, last) for upstream in node.upstream)
    )
    return {_ALL} if stale else set()


def _days(node: Node, clock: Clock, wanted: dict[dg.AssetKey, set[str]]) -> set[str]:
    """Days that changed upstream; all days that upstream has when something without days changed."""
    done = clock.by_day(node.key)
    days: set[str] = set()
    upstream_days: set[str] = set()
    since = min(done.values(), default=0)
    everything = False
    for upstream in node.upstream:
        by_day = clock.by_day(upstream)
        if by_day:
            upstream_days |= set(by_day)
            days |= clock.changed_days(upstream, done) | wanted.get(upstream, set())
        elif upstream in wanted:
            days |= wanted[upstream]
        else:
            everything = everything or (bool(done) and clock.changed(upstream, since))
    return days | (upstream_days | set(done) if everything else set())


def windows(days: set[str]) -> tuple[Window, ...]:
    """Contiguous runs of days; one window over all of them when there would be too many.

    >>> windows({"2025-01-01", "2025-01-02", "2025-01-05"})
    (('2025-01-01', '2025-01-02'), ('2025-01-05', '2025-01-05'))
    """
    found: list[Window] = []
    for day in sorted(days):
        if found and date.fromisoformat(day) - date.fromisoformat(found[-1][1]) == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    if len(found) > MAX_WINDOWS:
        return ((found[0][0], found[-1][1]),)
    return tuple(found)


def _tells_of_changes(materialization: dg.AssetMaterialization | None) -> bool:
    told = materialization.metadata.get(CHANGED) if materialization else None
    return told is None or bool(told.value)
