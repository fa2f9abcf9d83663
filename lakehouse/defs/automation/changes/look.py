"""What landed and is not built: asked of the lake, and of the events of bronze."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import dagster as dg
from dagster import AssetRecordsFilter, RunsFilter

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.automation.changes.reach import reach
from lakehouse.defs.automation.changes.runs import BATCH, Built
from lakehouse.defs.automation.history import History
from lakehouse.defs.automation.plan import Node
from lakehouse.defs.automation.stale import Stale, stale_nodes
from lakehouse.defs.metadata import CHANGED
from lakehouse.errors import PermanentError
from lakehouse.settings import Settings

_PAGE = 500


class Found(NamedTuple):
    """What is to be built, and what of the event log is then built."""

    wanted: Mapping[dg.AssetKey, Stale]
    built: int
    """As `State.built`, once everything wanted is built."""
    objects: tuple[str, ...]
    """The landed objects behind it, as `<stream>/date=YYYY-MM-DD/<name>`."""


class Change(NamedTuple):
    """An event of a bronze table that tells of changed rows."""

    key: dg.AssetKey
    day: str | None
    run_id: str
    at: float
    """Seconds since 1970."""
    storage_id: int


def look(
    instance: dg.DagsterInstance,
    settings: Settings,
    tables: Sequence[BronzeTable],
    nodes: Mapping[dg.AssetKey, Node],
    built: int | None,
) -> Found:
    """Everything that changes of these tables reach and that is not built; nothing of it in the usual case.

    Days come from three places: what is landed and not merged, by an analysis of the merge that tells where changed
    rows live and used to live; what a batch merged beyond the days it was asked for, which landed in between; and
    what others merged (a person, a backfill), where all that is behind is found by its events once they are done.

    Args:
        instance: whose events are read.
        settings: where the lake is.
        tables: the bronze tables of one connection.
        nodes: these tables and all that is made of them, upstream first.
        built: as `State.built`; None looks at everything that is behind.

    Raises:
        TransientError: the lake cannot be reached.
    """
    history = History(instance)
    changed, objects = _landed(tables, settings, history, nodes)
    changes = [
        change for table in tables for change in _changes(instance, dg.AssetKey(table.key), built or 0)
    ]
    reached = max([change.storage_id for change in changes], default=built or 0)
    strangers: list[Change] = []
    oldest = min([change.at for change in changes], default=0.0)
    batches = Built(instance, tables[0].connection, oldest) if changes else None
    for change in changes:
        is_built = batches.after(change.run_id, change.day, change.at) if batches else None
        if is_built is None or built is None:
            strangers.append(change)
        elif not is_built:
            before = changed.get(change.key, Stale()).days
            changed[change.key] = Stale(before | {change.day} if change.day else before)
    wanted = reach(nodes, changed, history.days_made_at)
    if strangers or built is None:
        if others_at_work(instance, nodes):
            oldest = min(change.storage_id for change in strangers) if strangers else reached + 1
            reached = min(reached, oldest - 1)
        else:
            behind = stale_nodes(nodes, instance)
            for key, stale in reach(nodes, behind, history.days_made_at).items():
                wanted[key] = Stale(wanted.get(key, Stale()).days | stale.days)
    return Found(wanted, reached, objects)


def others_at_work(instance: dg.DagsterInstance, nodes: Mapping[dg.AssetKey, Node]) -> bool:
    """Whether a run that is no batch's and has not ended makes one of these assets, or does not say which it makes."""
    unfinished = [status for status in dg.DagsterRunStatus if status.name in _UNFINISHED]
    return any(
        BATCH not in run.tags and (not run.asset_selection or bool(nodes.keys() & run.asset_selection))
        for run in instance.get_runs(RunsFilter(statuses=unfinished))
    )


_UNFINISHED = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")


def _landed(
    tables: Sequence[BronzeTable],
    settings: Settings,
    history: History,
    nodes: Mapping[dg.AssetKey, Node],
) -> tuple[dict[dg.AssetKey, Stale], tuple[str, ...]]:
    """The tables with something to merge, with the declared days that it touches, and the objects behind them."""
    from lakehouse.defs.bronze.pending import is_untold
    from lakehouse.defs.bronze.spec import merge_spec
    from lakehouse.lake.analysis import touched_days
    from lakehouse.lake.commit import load
    from lakehouse.lake.iceberg import open_catalog

    catalog = open_catalog(settings)
    changed: dict[dg.AssetKey, Stale] = {}
    objects: list[str] = []
    for table in tables:
        key = dg.AssetKey(table.key)
        spec = merge_spec(table, settings, history.landed_nothing_at(dg.AssetKey(table.landing_key)))
        try:
            touched = touched_days(spec, settings, catalog)
        except PermanentError:
            # The merge of its run fails in the same way, where people see it and with a bound on the attempts.
            changed[key] = _declared(nodes[key], frozenset())
            continue
        if touched is not None:
            changed[key] = _declared(nodes[key], _keys(touched.days, table))
            objects += [f"{table.stream}/{place}" for place in touched.objects]
        elif (current := load(catalog, spec)) and is_untold(current, history, key):
            changed[key] = _declared(nodes[key], frozenset())  # its events will tell of every day
    return changed, tuple(objects)


def _declared(node: Node, days: frozenset[str]) -> Stale:
    """The declared ones of the days; the newest where there are none, since a merge of a table with days has one."""
    if node.partitions is None:
        return Stale()
    keys = node.partitions.get_partition_keys()
    return Stale(days & frozenset(keys) or frozenset(keys[-1:]))


def _keys(periods: Iterable[date | None], table: BronzeTable) -> frozenset[str]:
    from lakehouse.defs.bronze.report import partition_key

    if table.partition_by is None:
        return frozenset()
    return frozenset(partition_key(period, table.partition_by) for period in periods)


def _changes(instance: dg.DagsterInstance, key: dg.AssetKey, after: int) -> Iterator[Change]:
    wanted = AssetRecordsFilter(asset_key=key, after_storage_id=after)
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(wanted, limit=_PAGE, cursor=cursor)
        for record in page.records:
            made = record.asset_materialization
            rows = made.metadata.get(CHANGED) if made else None
            if rows is None or rows.value:
                yield Change(key, record.partition_key, record.run_id, record.timestamp, record.storage_id)
        if not page.has_more:
            return
        cursor = page.cursor
