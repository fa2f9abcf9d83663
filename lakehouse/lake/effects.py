"""What the landed changes do to the current table, key by key, as the DuckDB table `effect`."""

# ruff: noqa: S608  names and literals are quoted by column_types.quoted and duckdb_session.literal

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pyiceberg.expressions import And, BooleanExpression, GreaterThanOrEqual, LessThanOrEqual, Reference
from pyiceberg.expressions.literals import Literal, literal
from pyiceberg.types import DateType, IcebergType, IntegerType, LongType, StringType, TimestamptzType

from lakehouse.lake.admission import OBJECT
from lakehouse.lake.column_types import duckdb_type, quoted, quoted_list
from lakehouse.lake.landed_changes import DAY, day_of, version_column
from lakehouse.lake.landed_schema import AIRBYTE_COLUMNS, CDC_PREFIX, EXTRACTED_AT, GENERATION_ID
from lakehouse.lake.periods import no_period_sql
from lakehouse.lake.table_columns import TargetColumns
from lakehouse.lake.table_files import FILE, TableFile, current_files, read_files

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyiceberg.table import Table

    from lakehouse.lake.merge_spec import MergeSpec
    from lakehouse.lake.pending import Pending

ACTION = "__lakehouse_action"
_DELETED = "__lakehouse_deleted"
_NEW_DAY = "__lakehouse_new_day"
_OLD_DAY = "__lakehouse_old_day"
_PRUNABLE = (DateType, IntegerType, LongType, StringType, TimestamptzType)


@dataclass(frozen=True)
class Effects:
    """Counts of keys, the days that lose or gain rows, and the files that hold rows to remove."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    days: frozenset[date | None] = frozenset()
    files: frozenset[str] = frozenset()


def find_effects(
    connection: DuckDBPyConnection,
    spec: MergeSpec,
    table: Table | None,
    columns: TargetColumns,
    pending: Pending,
) -> Effects:
    """Compare the table `change` with the current rows of the same keys, and create `effect`.

    The rows are found by a scan of the key columns alone, in the files that may hold such keys; only files
    that do hold some are then read in full. A row that another generation landed again as it is gets that
    generation (`restamp`), which is no change of the row: else it would go with its old generation.
    """
    candidates = _files_to_compare(connection, spec, table, pending)
    if table is None or not candidates:
        connection.execute(
            f"CREATE TEMP TABLE effect AS SELECT {quoted_list(spec.primary_key)}, {DAY} AS {_NEW_DAY},"
            f" {no_period_sql(spec.granularity)} AS {_OLD_DAY}, CAST(NULL AS VARCHAR) AS {FILE},"
            f" CASE WHEN {_DELETED} THEN 'none' ELSE 'insert' END AS {ACTION} FROM change"
        )
    else:
        _compare(connection, spec, columns, current_rows(spec, table, columns, candidates), pending)
    return _summed_up(connection)


def current_rows(spec: MergeSpec, table: Table, columns: TargetColumns, files: Sequence[TableFile]) -> str:
    """SQL of the current rows of `files` with the target columns, their day and their file."""
    known = {field.name for field in table.schema().fields}
    # A rebuild may give a column any type; old values that do not fit it are replaced by landed ones.
    cast = "TRY_CAST" if spec.rebuild else "CAST"
    parts = [
        f"{cast}({quoted(name) if name in known else 'NULL'} AS {duckdb_type(kind)}) AS {quoted(name)}"
        for name, kind in columns.types.items()
    ]
    return f"SELECT {', '.join(parts)}, {day_of(spec)} AS {DAY}, {FILE} FROM {read_files(table, files)}"


def _files_to_compare(
    connection: DuckDBPyConnection, spec: MergeSpec, table: Table | None, pending: Pending
) -> list[TableFile]:
    if table is None:
        return []
    # Rows that go without a landed change are anywhere in the table.
    if pending.whole or pending.lowest is not None:
        return current_files(table)
    files = current_files(table, _key_range(connection, spec, table))
    if not files:
        return []
    keys = quoted_list(spec.primary_key)
    found = connection.execute(
        f"SELECT DISTINCT {FILE} FROM {read_files(table, files)} SEMI JOIN change USING ({keys})"
    ).fetchall()
    holding = {row[0] for row in found}
    return [file for file in files if file.path in holding]


def _key_range(connection: DuckDBPyConnection, spec: MergeSpec, table: Table) -> BooleanExpression | None:
    """The span of the changed keys, by the first key column that file statistics can prune on."""
    for name in spec.primary_key:
        if isinstance(table.schema().find_type(name), _PRUNABLE):
            bounds = connection.execute(f"SELECT min({quoted(name)}), max({quoted(name)}) FROM change")
            lowest, highest = bounds.fetchall()[0]
            if lowest is None:
                return None
            return And(
                GreaterThanOrEqual(term=Reference(name), value=_iceberg_literal(lowest)),
                LessThanOrEqual(term=Reference(name), value=_iceberg_literal(highest)),
            )
    return None


def _iceberg_literal(value: int | str | date) -> Literal[Any]:
    return literal(value.isoformat() if isinstance(value, date) else value)


def _compare(
    connection: DuckDBPyConnection, spec: MergeSpec, columns: TargetColumns, current: str, pending: Pending
) -> None:
    keys = [quoted(name) for name in spec.primary_key]
    # Another delivery or another log position of the same values is no change: nothing downstream has to run.
    compared = [
        quoted(name)
        for name in columns.types
        if name not in AIRBYTE_COLUMNS and not name.startswith(CDC_PREFIX)
    ]
    same = " AND ".join(f"c.{column} IS NOT DISTINCT FROM o.{column}" for column in [*compared, DAY])
    stale = "false" if pending.whole else _stale(spec, columns.types, pending.retried)
    another = "false" if pending.whole else f"c.{GENERATION_ID} <> o.{GENERATION_ID}"
    gone = _unless_rejected(spec) if pending.whole else "false"
    if pending.lowest is not None:
        gone = f"o.{GENERATION_ID} < {pending.lowest}"
    connection.execute(
        f"CREATE TEMP TABLE effect AS"
        f" SELECT {', '.join(f'coalesce(c.{key}, o.{key}) AS {key}' for key in keys)},"
        f" c.{DAY} AS {_NEW_DAY}, o.{DAY} AS {_OLD_DAY}, o.{FILE}, CASE"
        f" WHEN c.{keys[0]} IS NULL THEN 'delete'"
        f" WHEN o.{keys[0]} IS NULL THEN CASE WHEN c.{_DELETED} THEN 'none' ELSE 'insert' END"
        f" WHEN {stale} THEN 'none'"
        f" WHEN c.{_DELETED} THEN 'delete'"
        f" WHEN {same} THEN CASE WHEN {another} THEN 'restamp' ELSE 'none' END"
        f" ELSE 'update' END AS {ACTION}"
        f" FROM change c {'LEFT' if gone == 'false' else 'FULL'} JOIN ({current}) o"
        f" ON {' AND '.join(f'c.{key} = o.{key}' for key in keys)}"
        f" WHERE c.{keys[0]} IS NOT NULL OR {gone}"
    )


def _unless_rejected(spec: MergeSpec) -> str:
    """SQL: no version of the row's key is in quarantine. Of a key that is, the row from before stays."""
    same = " AND ".join(f"r.{quoted(name)} = o.{quoted(name)}" for name in spec.primary_key)
    return f"NOT EXISTS (SELECT 1 FROM rejected r WHERE {same})"


def _stale(spec: MergeSpec, types: dict[str, IcebergType], retried: Sequence[int]) -> str:
    """SQL: the row in the table is a later version than the landed one."""
    extracted = quoted(EXTRACTED_AT)
    later = f"o.{extracted} > c.{extracted}"
    if retried:  # whose object is no longer in landing: of two rows of one moment the table's stays
        places = ", ".join(str(place) for place in retried)
        later = f"({later} OR (o.{extracted} = c.{extracted} AND c.{OBJECT} IN ({places})))"
    if version := version_column(spec, types):
        old, new = f"o.{quoted(version)}", f"c.{quoted(version)}"
        later = (
            f"(({old} IS NOT NULL AND ({new} IS NULL OR {old} > {new}))"
            f" OR ({old} IS NOT DISTINCT FROM {new} AND {later}))"
        )
    old, new = f"o.{GENERATION_ID}", f"c.{GENERATION_ID}"
    return f"({old} > {new} OR ({old} = {new} AND {later}))"


def _summed_up(connection: DuckDBPyConnection) -> Effects:
    counts = dict(connection.execute(f"SELECT {ACTION}, count(*) FROM effect GROUP BY {ACTION}").fetchall())
    days = connection.execute(
        f"SELECT {_OLD_DAY} FROM effect WHERE {ACTION} IN ('update', 'delete')"
        f" UNION SELECT {_NEW_DAY} FROM effect WHERE {ACTION} IN ('update', 'insert')"
    ).fetchall()
    files = connection.execute(
        f"SELECT DISTINCT {FILE} FROM effect WHERE {ACTION} IN ('update', 'restamp', 'delete')"
    ).fetchall()
    return Effects(
        inserted=counts.get("insert", 0),
        updated=counts.get("update", 0),
        deleted=counts.get("delete", 0),
        unchanged=counts.get("none", 0) + counts.get("restamp", 0),
        days=frozenset(row[0] for row in days),
        files=frozenset(row[0] for row in files),
    )
