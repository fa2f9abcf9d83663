"""What a merge would do, without doing it: everything up to the first write."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from lakehouse.errors import PermanentError
from lakehouse.lake.admission import collect_rejected, open_landed
from lakehouse.lake.commit import load
from lakehouse.lake.duckdb_session import duckdb_session
from lakehouse.lake.effects import Effects, find_effects
from lakehouse.lake.filesystem import open_filesystem
from lakehouse.lake.landed_changes import (
    applied_before,
    collect_changes,
    derived_column,
    highest_lsn,
    no_changes,
)
from lakehouse.lake.landed_columns import Drift, find_drift, landed_columns
from lakehouse.lake.pending import Pending, find_pending
from lakehouse.lake.table_columns import TargetColumns, target_columns
from lakehouse.lake.watermark import Lsn, read_watermark

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from lakehouse.lake.merge_spec import MergeSpec
    from lakehouse.settings import Settings


@dataclass(frozen=True)
class Analysis:
    """What pending objects do to a table. The DuckDB tables `change`, `rejected` and `effect` hold the rows."""

    effects: Effects = field(default_factory=Effects)
    columns: TargetColumns = field(default_factory=lambda: TargetColumns({}, (), ()))
    lsns: tuple[Lsn | None, Lsn | None] = (None, None)
    """The highest log positions, of the newest generation and of the syncs before the newest one."""
    drift: tuple[Drift, ...] = ()


def analyse(
    connection: DuckDBPyConnection, spec: MergeSpec, table: Table | None, pending: Pending
) -> Analysis:
    """Read the pending objects and compare them with the table.

    Raises:
        PermanentError: landed data or the declaration cannot make the table; names table, column and object.
    """
    if pending.files:
        landed = landed_columns(spec, table, pending.files)
        _require_columns(spec, pending)
        drift = find_drift(spec, table, pending.files, landed)
        open_landed(connection, spec, pending.files, landed)
        columns = target_columns(spec, table, landed.types | derived_column(connection, spec))
        collect_rejected(connection, spec, applied_before(landed.types, pending))
        collect_changes(connection, spec, columns.types, landed.types, pending)
        effects = find_effects(connection, spec, table, columns, pending)
        newest = max([landing.epoch_ms for landing in pending.consumed], default=0)
        generation = max(pending.generations, default=None)
        return Analysis(effects, columns, highest_lsn(connection, landed.types, newest, generation), drift)
    if table is None:
        return Analysis(columns=TargetColumns(spec.columns_without_rows, (), ()))
    if pending.lowest is not None or pending.whole:
        columns = target_columns(spec, table, {})
        no_changes(connection, spec, columns.types)
        return Analysis(find_effects(connection, spec, table, columns, pending), columns)
    return Analysis()


@dataclass(frozen=True)
class Touched:
    """What a merge would change."""

    days: frozenset[date | None]
    """First days, or hours, of the partitions that gain or lose rows: where changed rows live, and used to live.

    Empty when the landed rows are what the table holds; a table without partitions has the one partition None.
    """
    objects: tuple[str, ...]
    """The landed objects that it would consume, as `date=YYYY-MM-DD/<name>`."""


def touched_days(spec: MergeSpec, settings: Settings, catalog: Catalog) -> Touched | None:
    """Which days the next merge would change; None when nothing is pending. Writes nothing.

    Costs what a merge costs without its writes: the pending objects, and of the table the keys in files that may
    hold the changed ones.

    Raises:
        PermanentError: as `merge_table` does.
    """
    table = load(catalog, spec)
    watermark = read_watermark(table) if table else None
    pending = find_pending(settings, open_filesystem(settings), spec, watermark)
    if pending is None:
        return None
    with duckdb_session(settings, spec.name) as connection:
        effects = analyse(connection, spec, table, pending).effects
    days = effects.days or (frozenset[date | None]() if table else frozenset({None}))
    return Touched(days, tuple(landing.place for landing in pending.consumed))


def _require_columns(spec: MergeSpec, pending: Pending) -> None:
    """Raises PermanentError when a declared column is not landed, or a derived one is."""
    landed = {name: file.landing.url for file in pending.files for name in file.columns}
    newest = pending.files[-1]
    for name in spec.primary_key:
        for file in pending.files:
            if name not in file.columns:
                raise _not_landed(spec, name, "primary_key", file.landing.url)
    needed = [(spec.cursor_field, "cursor_field")] if spec.cursor_field else []
    if spec.partition and not spec.partition.expression:
        needed.append((spec.partition.column, "partition_by.column"))
    for name, key in needed:
        if name not in landed:
            raise _not_landed(spec, name, key, newest.landing.url)
    if spec.partition and spec.partition.expression and spec.partition.column in landed:
        raise PermanentError(
            f"column {spec.partition.column} of {spec.name} is landed and also derived",
            where=newest.landing.url,
            remedy="name the derived column differently, or remove partition_by.expression",
        )


def _not_landed(spec: MergeSpec, column: str, key: str, where: str) -> PermanentError:
    return PermanentError(
        f"column {column}, the {key} of {spec.name}, is not landed",
        where=where,
        remedy=f"restore the column in the source and the connection, or correct {key}",
    )
