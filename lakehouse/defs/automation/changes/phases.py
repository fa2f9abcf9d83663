"""Runs for assets and their days: as few as a run's one range of partitions allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from lakehouse.defs.automation.changes.state import Build, Phases, Window
from lakehouse.defs.automation.plan import Node
from lakehouse.defs.automation.refresh import contiguous
from lakehouse.defs.automation.stale import Stale

MOST_WINDOWS = 3
"""Windows that one batch builds apart. More of them become one run over one range, of which the touched days are
built: a dbt build costs seconds, whatever it builds."""


def phases(nodes: Mapping[dg.AssetKey, Node], wanted: Mapping[dg.AssetKey, Stale]) -> Phases:
    """Runs phase after phase; nodes come upstream first.

    A run holds bronze to serving, as long as all that has partitions has the same ones. Where there are several
    windows, what has no partitions is built once, in the run of the last one.
    """
    todo = {key: node for key, node in nodes.items() if key in wanted}
    found: list[tuple[Build, ...]] = []
    while todo:
        taken = _next(todo)
        found += _builds(taken, wanted)
        todo = {key: node for key, node in todo.items() if key not in taken}
    return tuple(found)


def _next(todo: Mapping[dg.AssetKey, Node]) -> dict[dg.AssetKey, Node]:
    """All that can run together now: without partitions, or with those of the first asset that has some."""
    shared = next((node.partitions for node in todo.values() if node.partitions and _ready(node, todo)), None)
    taken: dict[dg.AssetKey, Node] = {}
    for key, node in todo.items():
        if node.upstream & (todo.keys() - taken.keys()):
            continue
        if node.partitions is None or node.partitions == shared:
            taken[key] = node
    return taken


def _ready(node: Node, todo: Mapping[dg.AssetKey, Node]) -> bool:
    """Whether nothing with partitions has to be built before it."""
    waiting = [todo[key] for key in node.upstream if key in todo]
    return all(above.partitions is None and _ready(above, todo) for above in waiting)


def _builds(
    taken: Mapping[dg.AssetKey, Node], wanted: Mapping[dg.AssetKey, Stale]
) -> Iterable[tuple[Build, ...]]:
    names = tuple(key.to_user_string() for key in taken)
    days = frozenset[str]().union(*(wanted[key].days for key in taken))
    if not days:
        return [(Build(names),)]
    found = windows(days)
    if len(found) > MOST_WINDOWS:
        return [(Build(names, (found[0][0], found[-1][1]), tuple(sorted(days))),)]
    before = _first_half(taken)
    first = tuple(Build(before, window) for window in found[:-1])
    return [phase for phase in (first, (Build(names, found[-1]),)) if phase]


def _first_half(taken: Mapping[dg.AssetKey, Node]) -> tuple[str, ...]:
    """The assets with partitions, and what of the others they are made of."""
    needed: set[dg.AssetKey] = set()
    for key, node in reversed(list(taken.items())):
        if node.partitions is not None or key in needed:
            needed |= {key, *node.upstream}
    return tuple(key.to_user_string() for key in taken if key in needed)


def windows(days: frozenset[str]) -> list[Window]:
    """
    >>> windows(frozenset({"2025-01-01", "2025-01-02", "2025-01-05"}))
    [('2025-01-01', '2025-01-02'), ('2025-01-05', '2025-01-05')]
    """
    return [(run[0], run[-1]) for run in contiguous(days)]
