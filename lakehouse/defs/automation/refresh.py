"""Bring assets up to date: sync, merge what is pending, and build only what is behind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from lakehouse.defs.automation.execute import Runner, RunResult
from lakehouse.defs.automation.plan import nodes_of, plan
from lakehouse.defs.automation.stale import Stale, landing, stale_bronze, stale_models
from lakehouse.defs.partitions import next_key
from lakehouse.settings import Settings

Window = tuple[str, str]
MAX_WINDOWS = 8


@dataclass(frozen=True)
class Step:
    """One run of a refresh; `window` is its first and last day."""

    keys: tuple[dg.AssetKey, ...]
    window: Window | None
    result: RunResult

    @property
    def name(self) -> str:
        """The layers it worked on, for people."""
        return " + ".join(dict.fromkeys(key.path[0] for key in self.keys))


def refresh(
    runner: Runner, settings: Settings, keys: Collection[dg.AssetKey] | None = None
) -> Iterator[Step]:
    """Run after run until none of these assets (None: of all) is behind; ends after the first failed one."""
    looks: tuple[Callable[[], Mapping[dg.AssetKey, Stale]], ...] = (
        lambda: {key: Stale() for key in landing(runner.defs)},
        lambda: stale_bronze(runner.instance, settings),
        lambda: stale_models(runner.defs, runner.instance),
    )
    for look in looks:  # each one after the runs of the one before
        stale = {key: days for key, days in look().items() if keys is None or key in keys}
        for step in _run(runner, stale):
            yield step
            if not step.result.succeeded:
                return


def _run(runner: Runner, stale: Mapping[dg.AssetKey, Stale]) -> Iterator[Step]:
    """The runs that build these assets; ends after the first failed one."""
    for stage in plan(nodes_of(runner.defs), stale):
        days = frozenset[str]().union(*(stale[key].days for key in stage.keys))
        for window in windows(days) or (None,):
            step = Step(stage.keys, window, runner.run(stage.keys, window))
            yield step
            if not step.result.succeeded:
                return


def windows(days: frozenset[str]) -> tuple[Window, ...]:
    """Contiguous runs of days; one window over all of them when there would be too many.

    >>> windows(frozenset({"2025-01-01", "2025-01-02", "2025-01-05"}))
    (('2025-01-01', '2025-01-02'), ('2025-01-05', '2025-01-05'))
    """
    found = [(run[0], run[-1]) for run in contiguous(days)]
    if len(found) > MAX_WINDOWS:
        return ((found[0][0], found[-1][1]),)
    return tuple(found)


def contiguous(days: Collection[str]) -> list[list[str]]:
    """Partition keys of one granularity in order, a list for each run of periods without a gap."""
    runs: list[list[str]] = []
    for day in sorted(days):
        if runs and next_key(runs[-1][-1]) == day:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs
