"""Bring the whole lakehouse up to date: sync, merge, and then only what changes ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from lakehouse.defs.automation.demand import demand
from lakehouse.defs.automation.execute import Runner, RunResult
from lakehouse.defs.automation.plan import Node, Stage, nodes_of, plan

INGESTION = ("landing", "bronze")


@dataclass(frozen=True)
class Step:
    """One run of a refresh."""

    name: str
    keys: tuple[dg.AssetKey, ...]
    window: tuple[str, str] | None
    result: RunResult


def refresh(runner: Runner) -> Iterator[Step]:
    """Run stage after stage; ends after the first failed one. Skips whatever is up to date.

    Syncs and merges always run: only they can tell whether there is something new, and a merge with nothing
    pending costs a fraction of a second. The newest day stands for a partitioned merge, which reports every day
    that it changes.
    """
    nodes = nodes_of(runner.defs)
    for stage in plan(nodes, nodes):
        for keys, window in _runs(stage, nodes, runner):
            result = runner.run(keys, window)
            yield Step(stage_name(stage), keys, window, result)
            if not result.succeeded:
                return


def stage_name(stage: Stage) -> str:
    """The layers of a stage, for people."""
    return " + ".join(dict.fromkeys(key.path[0] for key in stage.keys))


def _runs(
    stage: Stage, nodes: dict[dg.AssetKey, Node], runner: Runner
) -> list[tuple[tuple[dg.AssetKey, ...], tuple[str, str] | None]]:
    always = tuple(key for key in stage.keys if key.path[0] in INGESTION)
    runs: list[tuple[tuple[dg.AssetKey, ...], tuple[str, str] | None]] = []
    if always:
        newest = stage.partitions.get_last_partition_key() if stage.partitions else None
        runs.append((always, (newest, newest) if newest else None))
    needed = demand([nodes[key] for key in stage.keys if key not in always], runner.instance)
    if needed:
        runs += [(needed.keys, window) for window in needed.windows or (None,)]
    return runs
