"""Which landed rows may enter bronze: the view `landed`, and the rows that may not as the table `rejected`."""

# ruff: noqa: S608  names and literals are quoted by column_types.quoted and duckdb_session.literal

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from pyiceberg.types import (
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
)

from lakehouse.lake.column_types import duckdb_type, quoted, quoted_list, type_name
from lakehouse.lake.duckdb_session import literal
from lakehouse.lake.filesystem import readable
from lakehouse.lake.landed_schema import DELETED_AT, LandedFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lakehouse.lake.landed_columns import LandedColumns
    from lakehouse.lake.merge_spec import MergeSpec

FILE = "__lakehouse_file"
ROW = "__lakehouse_row"
OBJECT = "__lakehouse_object"
EPOCH = "__lakehouse_epoch"
REASON = "__lakehouse_reason"
IN_COLUMN = "__lakehouse_in_column"
_PROBLEM = "__lakehouse_problem"
_PROBLEM_ID = "__lakehouse_problem_id"
_NESTED = ("struct", "list", "map")


def open_landed(
    connection: DuckDBPyConnection, spec: MergeSpec, files: Sequence[LandedFile], columns: LandedColumns
) -> None:
    """Create the views `landed_row`, every row with its object's place among the files, and `landed`.

    `landed` has the rows that have no problem: a primary key, no NULL where the contract forbids it, and
    values that fit the columns. Each row's first problem is a number in the table `problem`.
    """
    connection.execute(f"CREATE TEMP TABLE landed_object ({FILE} VARCHAR, {OBJECT} INTEGER, {EPOCH} BIGINT)")
    connection.executemany(
        "INSERT INTO landed_object VALUES (?, ?, ?)",
        [[readable(file.landing.url), place, file.landing.epoch_ms] for place, file in enumerate(files)],
    )
    problems: list[tuple[str, str]] = []
    groups = _alike(files, columns)
    selects = [
        f"SELECT {_selected(group, columns, alone=len(groups) == 1)}, {FILE},"
        f" file_row_number AS {ROW}, {_first_problem(spec, group, columns, problems)} AS {_PROBLEM}"
        f" FROM read_parquet([{', '.join(literal(readable(file.landing.url)) for file in group)}],"
        # A column may be named `date`, as the objects' directories are.
        f" union_by_name = true, hive_partitioning = false, filename = {literal(FILE)}, file_row_number = true)"
        for group in groups
    ]
    connection.execute(
        f"CREATE TEMP TABLE problem ({_PROBLEM_ID} INTEGER, {REASON} VARCHAR, {IN_COLUMN} VARCHAR)"
    )
    connection.executemany(
        "INSERT INTO problem VALUES (?, ?, ?)",
        [[place, reason, column] for place, (reason, column) in enumerate(problems)],
    )
    connection.execute(
        f"CREATE TEMP VIEW landed_row AS SELECT * FROM ({' UNION ALL BY NAME '.join(selects)})"
        f" JOIN landed_object USING ({FILE})"
    )
    connection.execute(f"CREATE TEMP VIEW landed AS SELECT * FROM landed_row WHERE {_PROBLEM} IS NULL")


def collect_rejected(connection: DuckDBPyConnection, spec: MergeSpec, applied_before: str | None) -> None:
    """Create the table `rejected`: object, row, problem and key of every row that has a problem.

    Rows of positions that were applied before (SQL) are passed over, as they are among the others.
    """
    where = f" AND {applied_before} IS NOT TRUE" if applied_before else ""
    connection.execute(
        f"CREATE TEMP TABLE rejected AS SELECT {OBJECT}, {ROW}, {REASON}, {IN_COLUMN},"
        f" {quoted_list(spec.primary_key)}"
        f" FROM landed_row JOIN problem ON {_PROBLEM} = {_PROBLEM_ID} WHERE {_PROBLEM} IS NOT NULL{where}"
    )


def _alike(files: Sequence[LandedFile], columns: LandedColumns) -> list[list[LandedFile]]:
    """The files in groups that have the same columns of a wrong type; one group in the ordinary case."""

    def odd(file: LandedFile) -> str:
        retyped = columns.retyped.get(file.landing.url, {})
        return str(sorted((name, type_name(kind)) for name, kind in retyped.items()))

    return [list(group) for _, group in groupby(sorted(files, key=odd), odd)]


def _selected(group: Sequence[LandedFile], columns: LandedColumns, *, alone: bool) -> str:
    retyped = columns.retyped.get(group[0].landing.url, {})
    present = {name for file in group for name in file.columns}
    selected = [
        f"TRY_CAST({quoted(name)} AS {duckdb_type(kind)}) AS {quoted(name)}"
        if name in retyped or not alone
        else quoted(name)
        for name, kind in columns.types.items()
        if name in present
    ]
    return ", ".join(selected)


def _first_problem(
    spec: MergeSpec, group: Sequence[LandedFile], columns: LandedColumns, problems: list[tuple[str, str]]
) -> str:
    """SQL of the row's first problem, as its place in `problems`; NULL for a row without one."""
    cases = []
    for condition, reason, column in _problems(spec, group, columns):
        cases.append(f"WHEN {condition} THEN {len(problems)}")
        problems.append((reason, column))
    return f"CASE {' '.join(cases)} END"


def _problems(
    spec: MergeSpec, group: Sequence[LandedFile], columns: LandedColumns
) -> Iterator[tuple[str, str, str]]:
    """SQL conditions, with the reason and the column that they are of."""
    present = {name for file in group for name in file.columns}
    retyped = columns.retyped.get(group[0].landing.url, {})
    for name in spec.primary_key:
        yield f"{_value(name, present)} IS NULL", "NULL in the primary key", name
        if name in present and isinstance(retyped.get(name, columns.types[name]), DoubleType | FloatType):
            # Airbyte lands numeric as double: from here on two keys of the source may be one.
            reason = "a key of 2^53 or more in a floating point column, where neighbours are one"
            yield f"abs({quoted(name)}) >= 9007199254740992", reason, name
    # A row that deletes its key has nothing but the key.
    kept = f"{quoted(DELETED_AT)} IS NULL AND " if DELETED_AT in present else ""
    for name, landed in retyped.items():
        kind = columns.types[name]
        fits = _fits(quoted(name), landed, kind) if spec.contract.type_of(name) else "false"
        of_key = name in spec.primary_key
        yield (
            f"{'' if of_key else kept}{quoted(name)} IS NOT NULL AND NOT coalesce({fits}, false)",
            f"{type_name(landed)} that is no {type_name(kind)}",
            name,
        )
    for name, declared in spec.contract.columns.items():
        if not declared.nullable and name not in spec.primary_key:
            yield f"{kept}{_value(name, present)} IS NULL", "NULL in a column that is not nullable", name


def _value(name: str, present: set[str]) -> str:
    return quoted(name) if name in present else "NULL"


def _fits(value: str, landed: IcebergType, kind: IcebergType) -> str:
    """SQL: the value can be cast to the type without losing any of it. DuckDB alone would round."""
    cast = f"TRY_CAST({value} AS {duckdb_type(kind)})"
    if type_name(landed).startswith(_NESTED):
        return "false"
    if isinstance(kind, StringType):
        return "true"
    if not isinstance(landed, StringType):
        return f"TRY_CAST({cast} AS {duckdb_type(landed)}) IS NOT DISTINCT FROM {value}"
    if isinstance(kind, IntegerType | LongType):
        return f"regexp_full_match(trim({value}), '[+-]?[0-9]+') AND {cast} IS NOT NULL"
    if isinstance(kind, DecimalType):
        digits = f"'[+-]?[0-9]*([.][0-9]{{0,{kind.scale}}}0*)?'"
        return f"regexp_full_match(trim({value}), {digits}) AND {cast} IS NOT NULL"
    if isinstance(kind, DateType):
        return f"TRY_CAST({value} AS TIMESTAMP) = {cast}"
    return f"{cast} IS NOT NULL"
