"""What of a stage has to run, asked of the event log.

An asset is behind when it was never made, when its last run did not end well, when its code changed, or when
something upstream changed after it was made. So a process that is killed at any moment leaves behind what it
was making.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from lakehouse.defs.automation.history import History
from lakehouse.defs.automation.plan import Node

Window = tuple[str, str]
MAX_WINDOWS = 8


@dataclass(frozen=True)
class Demand:
    """Assets of one stage that must run, and for which days; `windows` is empty for unpartitioned ones."""

    keys: tuple[dg.AssetKey, ...]
    windows: tuple[Window, ...]


def demand(nodes: Iterable[Node], instance: dg.DagsterInstance) -> Demand | None:
    """What of one stage's assets (upstream first, one partitions definition) must run; None for nothing."""
    history = History(instance)
    unpartitioned: set[dg.AssetKey] = set()
    by_day: dict[dg.AssetKey, set[str]] = {}
    for node in nodes:
        if node.partitions is None:
            if _is_behind(node, history, unpartitioned):
                unpartitioned.add(node.key)
        elif days := _days_behind(node, node.partitions, history, by_day):
            by_day[node.key] = days
    if by_day:
        return Demand(tuple(by_day), windows(set().union(*by_day.values())))
    return Demand(tuple(unpartitioned), ()) if unpartitioned else None


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


def _is_behind(node: Node, history: History, behind: set[dg.AssetKey]) -> bool:
    made_at = history.made_at(node.key)
    return (
        made_at is None
        or history.is_recoded(node.key, node.code_version)
        or bool(node.upstream & behind)
        or any(history.changed_after(upstream, made_at) for upstream in node.upstream)
    )


def _days_behind(
    node: Node,
    partitions: dg.PartitionsDefinition,
    history: History,
    behind: dict[dg.AssetKey, set[str]],
) -> set[str]:
    """Days that changed upstream, or were left unfinished; all that have data when no single day can be told."""
    made_at = history.days_made_at(node.key)
    first = min(made_at.values(), default=-1)
    declared = set(partitions.get_partition_keys())
    with_data = set(made_at)
    days = history.unfinished_days(node.key, partitions)
    every_day = bool(made_at) and history.is_recoded(node.key, node.code_version)
    for upstream in node.upstream:
        if upstream in behind:
            days |= behind[upstream]
        made_upstream = history.days_made_at(upstream)
        if made_upstream:
            with_data |= made_upstream.keys()
            days |= history.days_changed_after(upstream, made_at)
        else:
            # Which days a change of an unpartitioned table reaches cannot be known.
            every_day = every_day or history.changed_after(upstream, first)
    return (days | with_data if every_day else days) & declared
