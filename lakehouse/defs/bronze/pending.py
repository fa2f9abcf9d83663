"""Whether a bronze table has to be merged, and over which days, asked of the lake itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.automation.history import History
from lakehouse.defs.bronze.spec import merge_spec

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from lakehouse.lake.merge_spec import MergeSpec
    from lakehouse.lake.pending import Pending
    from lakehouse.settings import Settings


@dataclass(frozen=True)
class PendingMerge:
    days: tuple[date, date] | None
    """First and last day of the landed rows; None for a table without days, or when no rows are landed."""


def pending_merge(
    table: BronzeTable, settings: Settings, catalog: Catalog, history: History
) -> PendingMerge | None:
    """What a merge would have to do; None when the table holds what is landed.

    A table at another snapshot than the newest materialization event tells was committed to by a process that
    died before its event: it is merged again, so that the event gets told.

    Raises:
        PermanentError: a file that is no landing object.
        TransientError: the lake cannot be reached.
    """
    from lakehouse.lake.commit import load
    from lakehouse.lake.filesystem import open_filesystem
    from lakehouse.lake.pending import find_pending
    from lakehouse.lake.watermark import read_watermark

    spec = merge_spec(table, settings, history.landed_nothing_at(dg.AssetKey(table.landing_key)))
    current = load(catalog, spec)
    watermark = read_watermark(current) if current else None
    pending = find_pending(settings, open_filesystem(settings), spec, watermark)
    if pending:
        return PendingMerge(_days(spec, pending, settings, current))
    return PendingMerge(None) if current and is_untold(current, history, dg.AssetKey(table.key)) else None


def is_untold(current: Table, history: History, key: dg.AssetKey) -> bool:
    """Whether the table was committed to without an event that tells of it: its process died between the two."""
    snapshot = current.current_snapshot()
    return snapshot is not None and snapshot.snapshot_id != history.snapshot(key)


def _days(
    spec: MergeSpec, pending: Pending, settings: Settings, table: Table | None
) -> tuple[date, date] | None:
    from lakehouse.lake.admission import open_landed
    from lakehouse.lake.column_types import quoted
    from lakehouse.lake.duckdb_session import duckdb_session
    from lakehouse.lake.landed_columns import landed_columns

    if spec.partition is None or not pending.files:
        return None
    day = f"CAST({spec.partition.expression or quoted(spec.partition.column)} AS DATE)"
    with duckdb_session(settings, spec.name) as connection:
        open_landed(connection, spec, pending.files, landed_columns(spec, table, pending.files))
        found = connection.execute(f"SELECT min({day}), max({day}) FROM landed").fetchall()  # noqa: S608
    first, last = found[0]
    return (first, last) if first else None
