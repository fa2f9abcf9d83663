"""The bronze merge: landed changes into an Iceberg table of current rows, in one commit.

The commit also stores the watermark, so the merge is atomic and can be repeated: a crash leaves the old
snapshot or the new one, and the next merge goes on from what that snapshot says.
"""

# ruff: noqa: S608  names and literals are quoted by column_types.quoted and duckdb_session.literal

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitStateUnknownException
from sqlalchemy.exc import OperationalError

from lakehouse.errors import TransientError
from lakehouse.lake.analysis import analyse
from lakehouse.lake.column_types import quoted_list
from lakehouse.lake.commit import CONFLICTS, begin, commit, load
from lakehouse.lake.data_files import ROWS_PER_FILE, DataFileWriter
from lakehouse.lake.duckdb_session import DEFAULT_MEMORY_LIMIT, duckdb_session
from lakehouse.lake.effects import ACTION, Effects, current_rows
from lakehouse.lake.filesystem import open_filesystem
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.landed_changes import DAY
from lakehouse.lake.merge_spec import MergeResult, MergeSpec
from lakehouse.lake.pending import Pending, find_pending
from lakehouse.lake.quarantine import remove_superseded, settle_retried, write_quarantine
from lakehouse.lake.table_columns import TargetColumns, refuse_other_partitioning
from lakehouse.lake.table_files import TableFile, current_files, rows_by_day
from lakehouse.lake.watermark import Watermark, advance, read_watermark

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from lakehouse.settings import Settings

_ATTEMPTS = 6
_UNKNOWN = (CommitStateUnknownException, OperationalError)
"""The commit may have happened; the next attempt sees it in the watermark."""
_BATCH_ROWS = 100_000


@dataclass(frozen=True)
class Order:
    """One attempt of one merge."""

    spec: MergeSpec
    settings: Settings
    id: str


def merge_table(
    spec: MergeSpec,
    settings: Settings,
    catalog: Catalog | None = None,
    memory_limit: str = DEFAULT_MEMORY_LIMIT,
) -> MergeResult:
    """Apply everything landed since the table's watermark, creating the table when there is none.

    Only the days in which a changed key lives, or used to live, are rewritten. With nothing pending nothing
    is committed; when what is pending changes no row, a snapshot without files advances the watermark. Rows
    that the contract does not allow go to quarantine, and the others on.

    Args:
        spec: the table and its landing.
        settings: where the lake and its catalogue are.
        catalog: an open catalogue to use instead of a new one.
        memory_limit: of DuckDB, such as `1GB`; it spills to disk beyond.

    Raises:
        PermanentError: landed data or the declaration cannot make the table; one line names table, column
            and object.
        TransientError: the lake or its catalogue cannot be reached, or other writers won every race.
    """
    opened = catalog or open_catalog(settings)
    return repeated(spec, lambda: _attempt(spec, settings, opened, memory_limit))


def repeated(spec: MergeSpec, merge: Callable[[], MergeResult]) -> MergeResult:
    """One merge, tried again while other writers are first; raises as `merge_table` does."""
    started = time.monotonic()
    for attempt in range(_ATTEMPTS):
        try:
            result = merge()
        except (*CONFLICTS, *_UNKNOWN) as error:
            failure = error
            time.sleep(random.uniform(0.05, 0.2) * 2**attempt)  # noqa: S311  jitter, not a secret
        except OSError as error:
            raise TransientError(
                f"the lake or its catalogue cannot be used: {str(error).splitlines()[0]}",
                where=spec.name,
                remedy="run the merge again when it can",
            ) from error
        else:
            return replace(result, seconds=time.monotonic() - started)
    raise TransientError(
        f"{_ATTEMPTS} commits were refused, lastly: {str(failure).splitlines()[0]}",
        where=spec.name,
        remedy="something else writes the table all the time; run the merge again later",
    ) from failure


def _attempt(spec: MergeSpec, settings: Settings, catalog: Catalog, memory_limit: str) -> MergeResult:
    """One try from a fresh load of the table."""
    table = load(catalog, spec)
    if table:
        refuse_other_partitioning(spec, table)
    watermark = read_watermark(table) if table and not spec.rebuild else None
    pending = find_pending(settings, open_filesystem(settings), spec, watermark)
    if pending is None:
        return _report(spec, table, watermark)
    with duckdb_session(settings, spec.name, memory_limit) as connection:
        return apply_pending(connection, Order(spec, settings, uuid.uuid4().hex), catalog, table, pending)


def apply_pending(
    connection: DuckDBPyConnection, order: Order, catalog: Catalog, table: Table | None, pending: Pending
) -> MergeResult:
    """Put the pending objects into the table, and the rows that may not enter it into quarantine."""
    spec = order.spec
    found = analyse(connection, spec, table, pending)
    effects, columns = found.effects, found.columns
    quarantined = 0
    if pending.files:
        quarantined = write_quarantine(connection, order.settings, spec, pending, order.id)
    reached = advance(pending.before, pending.consumed, pending.generations, *found.lsns)
    transaction, io = begin(catalog, spec, table, columns)
    removed = _files_to_rewrite(table, effects, columns)
    writer = DataFileWriter(io, transaction.table_metadata, order.id)
    try:
        rows = _rewritten_rows(spec, table, columns, removed) if effects.days or removed else None
        added = writer.write(iter(connection.sql(rows).to_arrow_reader(_BATCH_ROWS)), DAY) if rows else []
    except BaseException:
        writer.discard()
        raise
    try:
        commit(transaction, added, [file.data_file for file in removed], reached)
    except CONFLICTS:  # after any other error the snapshot may be there, and need its files
        writer.discard()
        raise
    committed = catalog.load_table(spec.identifier)
    if pending.whole or pending.lowest is not None:
        remove_superseded(order.settings, spec, reached.generations)
    if pending.retried:
        settle_retried(connection, order.settings, pending)
    report = _report(spec, committed, reached)
    after = rows_by_day(current_files(committed))
    touched = effects.days | ({file.day for file in removed} if columns.replaced else set())
    return replace(
        report,
        partitions={day: after.get(day, 0) for day in touched},
        inserted=effects.inserted,
        updated=effects.updated,
        deleted=effects.deleted,
        unchanged=effects.unchanged,
        landed_rows=sum(file.rows for file in pending.files),
        objects=tuple(landing.name for landing in pending.consumed),
        quarantined=quarantined,
        drift=found.drift,
        committed=True,
    )


def _files_to_rewrite(table: Table | None, effects: Effects, columns: TargetColumns) -> list[TableFile]:
    """Files that hold rows to remove; and the small ones of a touched day, so that a day stays few files."""
    if table is None:
        return []
    files = current_files(table)
    if columns.replaced:
        return files
    return [
        file
        for file in files
        if file.path in effects.files or (file.day in effects.days and file.rows < ROWS_PER_FILE // 2)
    ]


def _rewritten_rows(
    spec: MergeSpec, table: Table | None, columns: TargetColumns, files: Sequence[TableFile]
) -> str:
    """SQL of the rows of the new files, sorted by day and key."""
    keys, names = quoted_list(spec.primary_key), quoted_list([*columns.types, DAY])
    changed = (
        f"SELECT {names} FROM change"
        f" SEMI JOIN (FROM effect WHERE {ACTION} IN ('insert', 'update', 'restamp')) USING ({keys})"
    )
    rows = changed
    if table is not None and files:
        rows = (
            f"SELECT {names} FROM ({current_rows(spec, table, columns, files)})"
            f" ANTI JOIN (FROM effect WHERE {ACTION} IN ('update', 'restamp', 'delete')) USING ({keys})"
            f" UNION ALL {changed}"
        )
    return f"SELECT * FROM ({rows}) ORDER BY {quoted_list([DAY, *spec.primary_key])}"


def _report(spec: MergeSpec, table: Table | None, watermark: Watermark | None) -> MergeResult:
    """The result of a merge that did nothing."""
    files = current_files(table) if table else []
    snapshot = table.current_snapshot() if table else None
    return MergeResult(
        identifier=spec.identifier,
        partitions={},
        inserted=0,
        updated=0,
        deleted=0,
        unchanged=0,
        landed_rows=0,
        objects=(),
        rows=sum(file.rows for file in files),
        bytes=sum(file.data_file.file_size_in_bytes for file in files),
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        watermark=watermark,
        quarantined=0,
        drift=(),
        committed=False,
        seconds=0.0,
    )
