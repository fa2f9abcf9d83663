"""How far changes reach: which assets, and which of their partitions, are made of changed ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import dagster as dg

from lakehouse.defs.automation.plan import Node
from lakehouse.defs.automation.stale import Stale


def downstream(nodes: Mapping[dg.AssetKey, Node], of: Collection[dg.AssetKey]) -> dict[dg.AssetKey, Node]:
    """These assets and all that is made of them; given and returned upstream first."""
    found: dict[dg.AssetKey, Node] = {}
    for key, node in nodes.items():
        if key in of or node.upstream & found.keys():
            found[key] = node
    return found


def reach(
    nodes: Mapping[dg.AssetKey, Node],
    changed: Mapping[dg.AssetKey, Stale],
    made_days: Callable[[dg.AssetKey], Collection[str]],
) -> dict[dg.AssetKey, Stale]:
    """The changed assets and what is made of them, each with its days; given upstream first.

    Which days a change of an asset without days reaches cannot be known: of what is made of it, all days are built
    that there are.

    Args:
        nodes: the assets to look at.
        changed: where changes begin; a bronze table that has days, but no changed one, is built and reaches nothing.
        made_days: the days of an asset that were ever made.
    """
    found: dict[dg.AssetKey, Stale] = {}
    reaches: dict[dg.AssetKey, Stale] = {}
    for key, node in nodes.items():
        above = {upstream: reaches[upstream].days for upstream in node.upstream if upstream in reaches}
        own = changed.get(key)
        if own is None and not above:
            continue
        days = own.days if own else frozenset[str]()
        if node.partitions is not None:
            days = days.union(*(node.reached(upstream, keys) for upstream, keys in above.items()))
            if not all(above.values()):
                days |= frozenset(made_days(key))
            days &= frozenset(node.partitions.get_partition_keys())
            if not days:
                continue
        found[key] = reaches[key] = Stale(days)
    return found
