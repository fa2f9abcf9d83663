"""What a stage has to do, and has not done this night: runs that can go side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from lakehouse.defs.automation.execute import RANGE_END, RANGE_START
from lakehouse.defs.automation.nightly.declaration import Batch, Stage
from lakehouse.defs.automation.nightly.night import NIGHT, STAGE, WORK, Night
from lakehouse.defs.automation.plan import Node, nodes_in, plan
from lakehouse.defs.automation.refresh import Window, windows
from lakehouse.defs.automation.stale import Stale, stale_nodes
from lakehouse.defs.automation.why import WHY, Why


@dataclass(frozen=True)
class Work:
    """One run: assets to build, or checks to run."""

    assets: tuple[dg.AssetKey, ...] = ()
    checks: tuple[dg.AssetCheckKey, ...] = ()
    window: Window | None = None
    """First and last partition."""

    @property
    def id(self) -> str:
        """The same for the same work."""
        names = [
            *(key.to_user_string() for key in self.assets),
            *(key.to_user_string() for key in self.checks),
        ]
        return hashlib.sha256(repr((sorted(names), self.window)).encode()).hexdigest()[:16]

    def request(self, night: Night, stage: Stage) -> dg.RunRequest:
        """Its run: asked for twice in a night, it runs once."""
        date = night.date.isoformat()
        tags = {WHY: str(Why.SCHEDULE), NIGHT: date, STAGE: stage.name, WORK: self.id}
        if self.window:
            tags |= {RANGE_START: self.window[0], RANGE_END: self.window[1]}
        return dg.RunRequest(
            run_key=f"nightly/{date}/{stage.name}/{self.id}",
            asset_selection=list(self.assets),
            asset_check_keys=list(self.checks) or None,
            tags=tags,
        )


def assets_of(batch: Batch, graph: Any) -> dict[str, frozenset[dg.AssetKey]]:
    """The assets of each stage: an asset belongs to the first one that selects it; tests take none away."""
    taken: set[dg.AssetKey] = set()
    found = {}
    for stage in batch.stages:
        found[stage.name] = stage.selected(graph) - (frozenset() if stage.tests else taken)
        taken |= frozenset() if stage.tests else found[stage.name]
    return found


def work_of(
    stage: Stage,
    keys: frozenset[dg.AssetKey],
    graph: Any,
    instance: dg.DagsterInstance,
    *,
    done: Sequence[dg.DagsterRun],
    now: datetime,
) -> list[Work]:
    """What is to run next; nothing when the stage has ended.

    Every table without partitions is built once a night. Of one with partitions the open one is, and those that are
    behind what they are made of.

    Args:
        stage: what is asked about.
        keys: its assets.
        graph: the asset graph.
        instance: whose events tell what is behind.
        done: the stage's runs of this night that succeeded.
        now: which partition is open.
    """
    if stage.tests:
        known = {run.tags[WORK] for run in done}
        return [work for work in _tests(keys, graph) if work.id not in known]
    nodes = nodes_in(graph)
    wanted = _not_done(_wanted(nodes, keys, instance, now), nodes, done)
    found: list[Work] = []
    left: set[dg.AssetKey] = set()
    for step in plan(nodes, wanted):
        if not any(nodes[key].upstream & left for key in step.keys):
            days = frozenset[str]().union(*(wanted[key].days for key in step.keys))
            spans = windows(days) or (None,)
            found += [Work(keys, window=window) for keys in _apart(step.keys) for window in spans]
        left |= set(step.keys)
    return found


def _wanted(
    nodes: Mapping[dg.AssetKey, Node],
    keys: frozenset[dg.AssetKey],
    instance: dg.DagsterInstance,
    now: datetime,
) -> dict[dg.AssetKey, Stale]:
    chosen = {key: node for key, node in nodes.items() if key in keys}
    behind = stale_nodes(nodes, instance) if any(node.partitions for node in chosen.values()) else {}
    wanted = {}
    for key, node in chosen.items():
        if node.partitions is None:
            wanted[key] = Stale()
        elif days := behind.get(key, Stale()).days | _newest(key, node.partitions, now):
            wanted[key] = Stale(days)
    return wanted


def _newest(key: dg.AssetKey, partitions: Any, now: datetime) -> frozenset[str]:
    """The newest partition, of bronze always: whichever one a merge is asked for, it merges all that landed."""
    newest = partitions.get_last_partition_window()
    if newest is None or (key.path[0] != "bronze" and newest.end <= now):
        return frozenset()
    return frozenset({partitions.get_last_partition_key()})


def _not_done(
    wanted: Mapping[dg.AssetKey, Stale], nodes: Mapping[dg.AssetKey, Node], done: Iterable[dg.DagsterRun]
) -> dict[dg.AssetKey, Stale]:
    """Once a night each: what changes while the batch runs is the next one's."""
    left = dict(wanted)
    for run in done:
        for key in run.asset_selection or ():
            if key not in left:
                continue
            first, last = run.tags.get(RANGE_START), run.tags.get(RANGE_END)
            days = {day for day in left[key].days if first and last and not first <= day <= last}
            if days:
                left[key] = Stale(frozenset(days))
            else:
                del left[key]
    return {key: left[key] for key in nodes if key in left}


def _apart(keys: tuple[dg.AssetKey, ...]) -> list[tuple[dg.AssetKey, ...]]:
    """Sources land side by side, a run each: they do not wait for one another."""
    if keys[0].path[0] != "landing":
        return [keys]
    sources = dict.fromkeys(key.path[1] for key in keys)
    return [tuple(key for key in keys if key.path[1] == source) for source in sources]


def _tests(keys: frozenset[dg.AssetKey], graph: Any) -> list[Work]:
    """The checks of these assets, a run for each kind of partitions, which a run may have one of."""
    kinds: dict[Any, list[dg.AssetCheckKey]] = {}
    for key in sorted(keys):
        node = graph.get(key)
        kinds.setdefault(node.partitions_def, []).extend(sorted(node.check_keys))
    return [
        Work(checks=tuple(checks), window=(partitions.get_last_partition_key(),) * 2 if partitions else None)
        for partitions, checks in kinds.items()
        if checks
    ]
