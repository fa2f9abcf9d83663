"""Which assets, and which of their days, are behind what they are made of.

Landing is always asked: only the source knows whether there is something new. Bronze is decided by the lake:
what is landed and not merged. Everything else is decided by events: an asset is behind when it was
never made, when its last run did not end well, when its code changed, or when something upstream changed
after it was made. So a process that is killed at any moment leaves behind what it was making.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from sys import maxsize

import dagster as dg

from lakehouse.catalog.datasets import PLATFORM, BronzeTable
from lakehouse.defs.automation.history import History
from lakehouse.defs.automation.plan import Node, nodes_of
from lakehouse.defs.partitions import keys_within, partitions_of
from lakehouse.defs.project import declared_datasets
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Stale:
    days: frozenset[str] = frozenset()
    """The partitions to make; empty for an asset without partitions."""


def landing(defs: dg.Definitions) -> list[dg.AssetKey]:
    """The landed streams: what Airbyte has to be asked for."""
    return [key for key in nodes_of(defs) if key.path[0] == "landing"]


def stale_bronze(instance: dg.DagsterInstance, settings: Settings) -> dict[dg.AssetKey, Stale]:
    """The bronze tables that have something to merge, with the days of what is landed.

    A merge applies everything that is pending, whichever days are asked for; the days only say for which
    partitions the run is recorded.

    Raises:
        PermanentError, TransientError: as `pending_merge` does.
    """
    from lakehouse.defs.bronze.pending import pending_merge
    from lakehouse.lake.iceberg import open_catalog

    history, catalog = History(instance), open_catalog(settings)
    found = {}
    for table in declared_datasets().bronze:
        key = dg.AssetKey(table.key)
        pending = pending_merge(table, settings, catalog, history)
        if pending is not None:
            found[key] = Stale(_declared_days(table, pending.days))
    return found


def stale_models(defs: dg.Definitions, instance: dg.DagsterInstance) -> dict[dg.AssetKey, Stale]:
    """Everything that is neither landed nor merged and is behind, upstream first."""
    return stale_nodes(nodes_of(defs), instance)


def stale_nodes(nodes: Mapping[dg.AssetKey, Node], instance: dg.DagsterInstance) -> dict[dg.AssetKey, Stale]:
    """`stale_models` on plain nodes (given upstream first)."""
    history = History(instance)
    history.look_at(nodes)
    found: dict[dg.AssetKey, Stale] = {}
    for node in nodes.values():
        if _is_decided_elsewhere(node.key):
            continue
        if node.partitions is None:
            if _is_behind(node, history, found):
                found[node.key] = Stale()
        elif days := _days_behind(node, node.partitions, history, found):
            found[node.key] = Stale(frozenset(days))
    return found


def _is_decided_elsewhere(key: dg.AssetKey) -> bool:
    """Landing and what is merged of it; the platform's own records are made of nothing that lands."""
    return key.path[0] in ("landing", "bronze") and key.path[:2] != ["bronze", PLATFORM]


def _is_behind(node: Node, history: History, stale: Mapping[dg.AssetKey, Stale]) -> bool:
    made_at = history.made_at(node.key)
    return (
        made_at is None
        or history.is_recoded(node.key, node.code_version)
        or bool(node.upstream & stale.keys())
        or any(history.changed_after(upstream, made_at) for upstream in node.upstream)
    )


def _days_behind(
    node: Node,
    partitions: dg.PartitionsDefinition,
    history: History,
    stale: Mapping[dg.AssetKey, Stale],
) -> set[str]:
    """Days that changed upstream, or were left unfinished; all that have data when none can be told."""
    made_at = history.days_made_at(node.key)
    first = min(made_at.values(), default=-1)
    with_data = set(made_at)
    days = history.unfinished_days(node.key, partitions)
    every_day = history.is_recoded(node.key, node.code_version)
    for upstream in node.upstream:
        stale_upstream = stale.get(upstream)
        made_upstream = history.days_made_at(upstream)
        if made_upstream or (stale_upstream and stale_upstream.days):
            with_data |= node.reached(upstream, made_upstream.keys())
            days |= _days_changed(node, upstream, history, made_at)
            if stale_upstream:
                with_data |= node.reached(upstream, stale_upstream.days)
                days |= node.reached(upstream, stale_upstream.days)
        else:
            # Which days a change of an unpartitioned table reaches cannot be known.
            every_day = every_day or stale_upstream is not None or history.changed_after(upstream, first)
    behind = days | with_data if every_day else days
    return behind & set(partitions.get_partition_keys()) if behind else set()


def _days_changed(
    node: Node, upstream: dg.AssetKey, history: History, made_at: Mapping[str, int]
) -> set[str]:
    """Days of the node that are made of days that changed after them."""
    if upstream not in node.mappings:
        return set(history.days_changed_after(upstream, made_at))
    first = min(made_at.values(), default=-1)
    newer = [day for day, at in history.days_made_at(upstream).items() if at > first]
    reached = {day: node.reached(upstream, [day]) for day in newer}
    # Of the days above only those count that are newer than the oldest that is made of them.
    oldest = {
        day: min((made_at.get(key, -1) for key in keys), default=maxsize) for day, keys in reached.items()
    }
    changed = history.days_changed_after(upstream, {**history.days_made_at(upstream), **oldest})
    return {key for day, at in changed.items() for key in reached[day] if at > made_at.get(key, -1)}


def _declared_days(table: BronzeTable, landed: tuple[date, date] | None) -> frozenset[str]:
    """Every declared day between the two; the newest declared day when there are none."""
    partitions = partitions_of(table.partition_by)
    if partitions is None:
        return frozenset()
    keys = partitions.get_partition_keys()
    inside = keys_within(keys, *landed) if landed else []
    return frozenset(inside or keys[-1:])
