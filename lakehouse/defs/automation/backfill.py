"""Build chosen days of chosen assets, whether or not they are behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg

from lakehouse.defs.automation.execute import Runner
from lakehouse.defs.automation.history import History
from lakehouse.defs.automation.intent import intending, not_made
from lakehouse.defs.automation.plan import Node, nodes_of, plan
from lakehouse.defs.automation.refresh import Step, Window, contiguous
from lakehouse.defs.automation.stale import Stale
from lakehouse.defs.partitions import keys_within
from lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from lakehouse.observability.metadata.database import MetadataDatabase


class Range(NamedTuple):
    """First and last day; None is without a bound."""

    first: date | None
    last: date | None

    def days(self, partitions: dg.PartitionsDefinition) -> frozenset[str]:
        """The declared periods that have a day inside."""
        return frozenset(keys_within(partitions.get_partition_keys(), self.first, self.last))


def chosen(nodes: Mapping[dg.AssetKey, Node], names: Collection[str], *, upstream: bool) -> set[dg.AssetKey]:
    """The assets of these names (`gold/fct_orders`), and with `upstream` all that they are made of but landing.

    Raises:
        ConfigurationError: no asset has that name; a landed stream, which only a sync can bring again.
    """
    known = {key.to_user_string(): key for key in nodes}
    if landed := [name for name in names if name in known and known[name].path[0] == "landing"]:
        problem = f"{landed[0]} is what a sync landed, and is not built"
        raise ConfigurationError(problem, remedy="sync it: lakehouse refresh")
    found: set[dg.AssetKey] = set()
    waiting = [known.get(name) or _refuse(name, known) for name in names]
    while waiting:
        key = waiting.pop()
        if key in found or key not in nodes or key.path[0] == "landing":
            continue
        found.add(key)
        waiting += nodes[key].upstream if upstream else ()
    return found


def _refuse(name: str, known: Collection[str]) -> dg.AssetKey:
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    remedy = f"did you mean {', '.join(near)}?" if near else "the Dagster UI lists them: lakehouse up"
    raise ConfigurationError(f"no asset is named {name!r}", remedy=remedy)


def every_day(
    nodes: Mapping[dg.AssetKey, Node], keys: Collection[dg.AssetKey], within: Range, named: Collection[str]
) -> dict[dg.AssetKey, Stale]:
    """These assets with all their days of the range.

    Of those that were not `named`, assets that have days, but none in the range, are left out.

    Raises:
        ConfigurationError: a range for assets without days, none for assets with days, or one that has no day of a
            named asset.
    """
    with_days = sorted(key.to_user_string() for key in keys if nodes[key].partitions)
    if with_days and within == (None, None):
        raise ConfigurationError(f"{with_days[0]} has days", remedy="name the range with --from and --to")
    if not with_days and within != (None, None):
        raise ConfigurationError("none of the assets has days", remedy="leave out --from and --to")
    wanted = {}
    for key, node in nodes.items():
        if key not in keys:
            continue
        days = within.days(node.partitions) if node.partitions else frozenset[str]()
        if days or node.partitions is None:
            wanted[key] = Stale(days)
        elif key.to_user_string() in named:
            declared = node.partitions.get_partition_keys()
            raise ConfigurationError(
                f"{key.to_user_string()} has no day in that range",
                remedy=f"it has {declared[0]} to {declared[-1]}",
            )
    return wanted


def failed_days(
    nodes: Mapping[dg.AssetKey, Node],
    keys: Collection[dg.AssetKey],
    within: Range,
    instance: dg.DagsterInstance,
    metadata: MetadataDatabase,
) -> dict[dg.AssetKey, Stale]:
    """Those of these assets and days whose last run did not make them well, and what is made of them.

    They failed, or a check of error severity did, or a run or a backfill ended before it came to them. A table
    without days that failed reaches every day of the range downstream.

    Raises:
        TransientError, PermanentError: the metadata database cannot be read, which alone knows all of this.
    """
    history, known = History(instance), not_made(instance, metadata, keys)
    wanted: dict[dg.AssetKey, Stale] = {}
    for key, node in nodes.items():
        if key not in keys:
            continue
        above = {upstream: wanted[upstream] for upstream in node.upstream if upstream in wanted}
        if node.partitions is None:
            if above or key in known or history.was_left(key):
                wanted[key] = Stale()
            continue
        inside = within.days(node.partitions)
        failed = history.failed_days(key, node.partitions) | known.get(key, set())
        failed = failed.union(*(node.reached(upstream, stale.days) for upstream, stale in above.items()))
        if any(not stale.days for stale in above.values()):
            failed = set(inside)
        if days := inside & failed:
            wanted[key] = Stale(frozenset(days))
    return wanted


def backfill(runner: Runner, wanted: Mapping[dg.AssetKey, Stale], *, days_per_run: int) -> Iterator[Step]:
    """Run after run; days that were to be made of failed ones are left out, and everything else goes on.

    A run takes up to `days_per_run` contiguous days of assets that can be built together.
    """
    with intending(runner.metadata, wanted) as intent:
        for step in _steps(runner, wanted, days_per_run=days_per_run):
            intent.tried(step)
            yield step


def _steps(runner: Runner, wanted: Mapping[dg.AssetKey, Stale], *, days_per_run: int) -> Iterator[Step]:
    nodes = nodes_of(runner.defs)
    left = _LeftOut(nodes, wanted)
    for stage in plan(nodes, wanted):
        waiting = deque(stage.keys)
        while waiting:
            days = left.can_build(waiting[0])
            # In order, and only those of the same days: an asset may be made of the one before it.
            together = tuple(takewhile(partial(left.is_of, days), waiting))
            waiting = deque(list(waiting)[len(together) :])
            left.note(together, days)
            if days is None:
                continue
            for window in _runs(days, days_per_run) or (None,):
                step = Step(together, window, runner.run(together, window))
                yield step
                if not step.result.succeeded:
                    left.failed(together, window)


class _LeftOut:
    """What a failure has kept from being built: days of assets, and assets as a whole."""

    def __init__(self, nodes: Mapping[dg.AssetKey, Node], wanted: Mapping[dg.AssetKey, Stale]) -> None:
        self._nodes = nodes
        self._wanted = wanted
        self._days: dict[dg.AssetKey, frozenset[str]] = {}
        self._whole: set[dg.AssetKey] = set()

    def can_build(self, key: dg.AssetKey) -> frozenset[str] | None:
        """The wanted days without those that something upstream was left out on; None when it cannot be built."""
        upstream, days = self._nodes[key].upstream, self._wanted[key].days
        hurt = upstream & self._days.keys()
        if upstream & self._whole or (hurt and not days):
            return None
        kept = days.difference(*(self._nodes[key].reached(above, self._days[above]) for above in hurt))
        return kept if kept or not days else None

    def is_of(self, days: frozenset[str] | None, key: dg.AssetKey) -> bool:
        """Whether exactly these days of the asset can be built."""
        return self.can_build(key) == days

    def note(self, keys: tuple[dg.AssetKey, ...], days: frozenset[str] | None) -> None:
        """These assets are built on these days only."""
        for key in keys:
            if days is None:
                self._whole.add(key)
            elif lost := self._wanted[key].days - days:
                self._days[key] = lost

    def failed(self, keys: tuple[dg.AssetKey, ...], window: Window | None) -> None:
        """A run of these assets failed."""
        for key in keys:
            if window is None:
                self._whole.add(key)
            else:
                lost = {day for day in self._wanted[key].days if window[0] <= day <= window[1]}
                self._days[key] = self._days.get(key, frozenset()) | lost


def _runs(days: frozenset[str], most: int) -> list[Window]:
    """
    >>> _runs(frozenset({"2025-01-01", "2025-01-02", "2025-01-03", "2025-01-07"}), 2)
    [('2025-01-01', '2025-01-02'), ('2025-01-03', '2025-01-03'), ('2025-01-07', '2025-01-07')]
    """
    parts = [found[at : at + most] for found in contiguous(days) for at in range(0, len(found), most)]
    return [(part[0], part[-1]) for part in parts]
