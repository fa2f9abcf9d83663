"""A small catalogue for planner tests, and rows for it in DuckDB, set as the engine sets it."""

from __future__ import annotations

from typing import Any

import duckdb

from lakehouse.embedded.dremio.sql import SqlError, parse, plan
from lakehouse.embedded.dremio.sql.model import (
    Column,
    Path,
    Plan,
    Query,
    ReflectionCandidate,
    Relation,
    Version,
)

TABLE = Relation(
    ("lake", "gold", "t"),
    (
        Column("id", "BIGINT"),
        Column("d", "DATE"),
        Column("ts", "TIMESTAMP"),
        Column("s", "CHARACTER VARYING"),
        Column("amt", "DECIMAL(12, 2)"),
        Column("i", "INTEGER"),
        Column("f", "DOUBLE"),
        Column("b", "BOOLEAN"),
        Column("l", "LIST(INTEGER)"),
    ),
    "table",
)
OTHER = Relation(("lake", "gold", "u"), (Column("id", "BIGINT"), Column("s", "CHARACTER VARYING")), "table")
ROWS = {
    TABLE.path: """SELECT * FROM (VALUES
        (1::BIGINT, DATE '2025-01-01', TIMESTAMP '2025-01-01 10:20:30', 'Ab', 12.34::DECIMAL(12, 2), 7::INT, 1.5::DOUBLE,
         true, [1, 2]),
        (2, DATE '2025-02-01', TIMESTAMP '2025-02-01 00:00:00', 'b', 1.00, 8, 2.5, false, [3]),
        (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS r(id, d, ts, s, amt, i, f, b, l)""",
    OTHER.path: "SELECT * FROM (VALUES (1::BIGINT, 'u1'), (9, 'u9')) AS r(id, s)",
}


class Tables:
    """Resolves the datasets that a test gives."""

    def __init__(self, *relations: Relation) -> None:
        self._relations = {relation.path: relation for relation in relations}

    def resolve(self, path: Path, version: Version | None = None) -> Relation:
        found = self._relations.get(tuple(part.lower() for part in path))
        if found is None:
            raise SqlError(f"no dataset {'.'.join(path)}")
        return found


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET GLOBAL integer_division=true")
    connection.execute("SET GLOBAL TimeZone='UTC'")
    return connection


def planned(sql: str, *relations: Relation, candidates: tuple[ReflectionCandidate, ...] = ()) -> Plan:
    statement = parse(sql)
    assert isinstance(statement, Query)
    return plan(statement.tree, Tables(TABLE, OTHER, *relations), candidates)


def bind(duck: duckdb.DuckDBPyConnection, plan_: Plan) -> None:
    for scan in plan_.scans:
        duck.execute(f'CREATE OR REPLACE TEMP VIEW "{scan.placeholder}" AS {ROWS[scan.path]}')


def rows(duck: duckdb.DuckDBPyConnection, sql: str, *relations: Relation) -> list[tuple[Any, ...]]:
    """The result of a Dremio query over the catalogue."""
    found = planned(sql, *relations)
    bind(duck, found)
    return duck.sql(found.sql).fetchall()


def types(duck: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """The DuckDB types of its columns."""
    found = planned(sql)
    bind(duck, found)
    return [str(kind) for kind in duck.sql(found.sql).types]
