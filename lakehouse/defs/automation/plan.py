"""In which order to materialize a set of assets, with as few dbt invocations as possible.

Starting dbt costs seconds, whatever it builds, so models are gathered: everything else that can run, runs
first, and each dbt invocation takes as much as it can. One run holds one partitions definition (or none),
because a run has one partition range.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph, AssetNode


@dataclass(frozen=True)
class Node:
    """What planning needs to know of an asset."""

    key: dg.AssetKey
    upstream: frozenset[dg.AssetKey]
    partitions: dg.PartitionsDefinition | None
    batch: str | None
    """Name of the op whose every start is expensive (dbt's); None for all other assets."""
    code_version: str | None = None
    mappings: Mapping[dg.AssetKey, Mapped] = field(default_factory=dict)
    """How the partitions of an upstream asset come to those of this one, where they do not have the same keys."""

    def reached(self, upstream: dg.AssetKey, keys: Collection[str]) -> frozenset[str]:
        """The partitions that are made of these partitions of an upstream asset."""
        mapped = self.mappings.get(upstream)
        if mapped is None or not keys or self.partitions is None:
            return frozenset(keys)
        known = [key for key in keys if mapped.partitions.has_partition_key(key)]
        below = mapped.mapping.get_downstream_partitions_for_partitions(
            mapped.partitions.subset_with_partition_keys(known), mapped.partitions, self.partitions
        )
        return frozenset(below.get_partition_keys())


class Mapped(NamedTuple):
    """The partitions of an upstream asset, and their mapping."""

    partitions: dg.PartitionsDefinition
    mapping: dg.PartitionMapping


@dataclass(frozen=True)
class Stage:
    """Assets of one run."""

    keys: tuple[dg.AssetKey, ...]
    partitions: dg.PartitionsDefinition | None
    batch: str | None = None


def nodes_of(defs: dg.Definitions) -> dict[dg.AssetKey, Node]:
    """Every materializable asset of the definitions, upstream first."""
    return nodes_in(defs.resolve_asset_graph())


def nodes_in(graph: AssetGraph) -> dict[dg.AssetKey, Node]:
    """Every materializable asset of an asset graph, upstream first."""
    nodes = {}
    for key in graph.toposorted_asset_keys:
        found = graph.get(key)
        if not found.is_materializable:
            continue
        # An asset of dbt's pool shares its process start with the assets of the same op.
        batch = found.assets_def.op.name if "dbt" in (found.pools or ()) else None
        nodes[key] = Node(
            key,
            frozenset(found.parent_keys),
            found.partitions_def,
            batch,
            found.code_version,
            _mappings(graph, found),
        )
    return nodes


def _mappings(graph: AssetGraph, node: AssetNode) -> dict[dg.AssetKey, Mapped]:
    found = {}
    for parent in node.parent_keys:
        partitions = graph.get(parent).partitions_def
        mapping = graph.get_partition_mapping(node.key, parent)
        lookback = isinstance(mapping, dg.TimeWindowPartitionMapping) and mapping.start_offset
        if partitions and node.partitions_def and (lookback or partitions != node.partitions_def):
            found[parent] = Mapped(partitions, mapping)
    return found


def plan(nodes: Mapping[dg.AssetKey, Node], wanted: Iterable[dg.AssetKey]) -> list[Stage]:
    """Stages that, executed one after another, materialize `wanted` and nothing else; nodes come upstream first.

    Breadth-first over the choice of the next batch: the first plan found has the fewest batches. Taking all
    of a batch that can run is never worse than leaving some of it for later.

    Raises:
        KeyError: a key that is no asset of the graph.
    """
    chosen = set(wanted)
    unknown = chosen - nodes.keys()
    if unknown:
        raise KeyError(min(unknown).to_user_string())
    todo = {key: node for key, node in nodes.items() if key in chosen}
    start = _Plan((), frozenset(todo))
    queue, seen = deque([start]), {start.left}
    while queue:
        so_far = _without_batches(queue.popleft(), todo)
        if not so_far.left:
            return list(so_far.stages)
        for batch in sorted({todo[key].batch or "" for key in so_far.left} - {""}):
            further = so_far.with_stage(todo, [node for node in todo.values() if node.batch == batch])
            if further and further.left not in seen:
                seen.add(further.left)
                queue.append(further)
    raise ValueError("the assets depend on each other in a circle")


@dataclass(frozen=True)
class _Plan:
    stages: tuple[Stage, ...]
    left: frozenset[dg.AssetKey]

    def with_stage(self, todo: Mapping[dg.AssetKey, Node], candidates: list[Node]) -> _Plan | None:
        """With one more stage of those candidates whose wanted upstream is done or among them."""
        taken: list[dg.AssetKey] = []
        waiting = set(self.left)
        for node in candidates:
            if node.key in waiting and not node.upstream & waiting:
                taken.append(node.key)
                waiting.discard(node.key)
        if not taken:
            return None
        first = todo[taken[0]]
        return _Plan((*self.stages, Stage(tuple(taken), first.partitions, first.batch)), frozenset(waiting))


def _without_batches(so_far: _Plan, todo: Mapping[dg.AssetKey, Node]) -> _Plan:
    """Everything that needs no batch and can run now, in as many runs as there are partitions definitions."""
    plain = [node for node in todo.values() if node.batch is None]
    progress = True
    while progress:
        progress = False
        for partitions in dict.fromkeys(node.partitions for node in plain):
            further = so_far.with_stage(todo, [node for node in plain if node.partitions == partitions])
            if further:
                so_far, progress = further, True
    return so_far
