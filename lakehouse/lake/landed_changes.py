"""The newest version of every landed key, as the DuckDB table `change`."""

# ruff: noqa: S608  names and literals are quoted by column_types.quoted and duckdb_session.literal

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.types import DateType, IcebergType, TimestampType, TimestamptzType

from lakehouse.errors import PermanentError
from lakehouse.lake.admission import EPOCH, OBJECT, ROW
from lakehouse.lake.column_types import duckdb_type, quoted, quoted_list
from lakehouse.lake.duckdb_session import literal
from lakehouse.lake.landed_schema import CDC_CURSOR, DELETED_AT, EXTRACTED_AT, GENERATION_ID, LSN
from lakehouse.lake.periods import no_period_sql, period_sql, period_type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lakehouse.lake.merge_spec import MergeSpec
    from lakehouse.lake.pending import Pending
    from lakehouse.lake.watermark import Lsn

DAY = "__lakehouse_day"
"""The start of the partition's period; NULL in tables without partitions."""
_DAY_TYPES = {
    "DATE": DateType(),
    "TIMESTAMP": TimestampType(),
    "TIMESTAMP WITH TIME ZONE": TimestamptzType(),
}
_DELETED = "__lakehouse_deleted"


def no_changes(connection: DuckDBPyConnection, spec: MergeSpec, columns: dict[str, IcebergType]) -> None:
    """Create empty tables `change` and `rejected`, for a merge that only removes rows."""
    names = ", ".join(f"{quoted(name)} {duckdb_type(kind)}" for name, kind in columns.items())
    connection.execute(
        f"CREATE TEMP TABLE change ({names}, {DAY} {period_type(spec.granularity)}, {_DELETED} BOOLEAN,"
        f" {OBJECT} INTEGER)"
    )
    connection.execute(f"CREATE TEMP TABLE rejected AS SELECT {quoted_list(spec.primary_key)} FROM change")


def derived_column(connection: DuckDBPyConnection, spec: MergeSpec) -> dict[str, IcebergType]:
    """The partition's column and type where an expression derives it, else nothing.

    Raises:
        PermanentError: it does not evaluate on the landed columns, or gives no date or timestamp.
    """
    import duckdb

    if spec.partition is None or spec.partition.expression is None:
        return {}
    where = f"partition_by.expression of {spec.name}"
    try:
        described = connection.execute(f"DESCRIBE SELECT ({spec.partition.expression}) FROM landed")
    except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException) as error:
        raise PermanentError(
            f"{spec.partition.expression!r} does not evaluate: {str(error).splitlines()[0]}",
            where=where,
            remedy="write DuckDB SQL over the landed columns",
        ) from None
    kind = str(described.fetchall()[0][1])
    if kind not in _DAY_TYPES:
        raise PermanentError(
            f"{spec.partition.expression!r} gives {kind}", where=where, remedy="cast it to DATE or TIMESTAMP"
        )
    return {spec.partition.column: _DAY_TYPES[kind]}


def collect_changes(
    connection: DuckDBPyConnection,
    spec: MergeSpec,
    columns: dict[str, IcebergType],
    landed: dict[str, IcebergType],
    pending: Pending,
) -> None:
    """Create the table `change`: of each key the newest version, deletions included.

    Versions are ordered by the generation; then by the log position (`_ab_cdc_lsn`, or else
    `_ab_cdc_cursor`) where landed, else by the cursor; then by the time of extraction, the order of delivery,
    and the place in the object. Positions of the watermark's generation below the floor were applied before:
    a repeated insert must not bring a deleted key back.
    """
    keys = quoted_list(spec.primary_key)
    where = f"WHERE {applied} IS NOT TRUE" if (applied := applied_before(landed, pending)) else ""
    order = [f"{quoted(EXTRACTED_AT)} DESC NULLS LAST", f"{OBJECT} DESC", f"{ROW} DESC"]
    if version := version_column(spec, landed):
        order.insert(0, f"{quoted(version)} DESC NULLS LAST")
    order.insert(0, f"{GENERATION_ID} DESC")
    source = "landed"
    if pending.retried:
        places = ", ".join(str(place) for place in pending.retried)
        keys_of = f"SELECT DISTINCT {keys} FROM landed_row WHERE {OBJECT} IN ({places})"
        source = f"landed SEMI JOIN ({keys_of}) USING ({keys})"
    # The newest versions are found among the keys alone, so that wide rows are never sorted.
    connection.execute(
        f"CREATE TEMP TABLE newest AS SELECT {OBJECT}, {ROW} FROM {source} {where}"
        f" QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {', '.join(order)}) = 1"
    )
    deleted = f"{quoted(DELETED_AT)} IS NOT NULL" if DELETED_AT in landed else "false"
    connection.execute(
        f"CREATE TEMP TABLE change AS SELECT {_projection(spec, columns, landed)},"
        f" {day_of(spec)} AS {DAY}, {deleted} AS {_DELETED}, {OBJECT}"
        f" FROM landed SEMI JOIN newest USING ({OBJECT}, {ROW})"
    )


def version_column(spec: MergeSpec, columns: dict[str, IcebergType]) -> str | None:
    """What orders the versions of a key in one generation before the time of extraction does."""
    return _position_column(columns) or spec.cursor_field


def day_of(spec: MergeSpec) -> str:
    """SQL of a row's partition."""
    if spec.partition is None:
        return no_period_sql("day")
    return period_sql(quoted(spec.partition.column), spec.granularity)


def highest_lsn(
    connection: DuckDBPyConnection, landed: dict[str, IcebergType], newest_epoch: int, generation: int | None
) -> tuple[Lsn | None, Lsn | None]:
    """The highest log position landed in `generation`, and the highest of those before `newest_epoch`."""
    position = _position_column(landed)
    if position is None or generation is None:
        return None, None
    found = connection.execute(
        f"SELECT max({position}), max({position}) FILTER (WHERE {EPOCH} < {newest_epoch}) FROM landed_row"
        f" WHERE {GENERATION_ID} = {generation}"
    ).fetchall()
    highest, older = found[0]
    return highest, older


def _position_column(columns: dict[str, IcebergType]) -> str | None:
    """The column of the log position, if there is one: Postgres and SQL Server have an LSN, MySQL a number."""
    return next((name for name in (LSN, CDC_CURSOR) if name in columns), None)


def applied_before(landed: dict[str, IcebergType], pending: Pending) -> str | None:
    """SQL: the row's position was applied by an earlier sync; None where no position was."""
    position, floor, before = _position_column(landed), pending.floor, pending.before
    if position is None or floor is None or before is None:
        return None
    generation = pending.files[0].generation if before.generation is None else before.generation
    value = literal(floor) if isinstance(floor, str) else repr(floor)
    return f"({GENERATION_ID} = {generation} AND {position} < {value})"


def _projection(spec: MergeSpec, columns: dict[str, IcebergType], landed: dict[str, IcebergType]) -> str:
    parts = []
    for name, kind in columns.items():
        value = quoted(name) if name in landed else "NULL"
        if spec.partition and spec.partition.expression and name == spec.partition.column:
            value = f"({spec.partition.expression})"
        parts.append(f"CAST({value} AS {duckdb_type(kind)}) AS {quoted(name)}")
    return ", ".join(parts)
