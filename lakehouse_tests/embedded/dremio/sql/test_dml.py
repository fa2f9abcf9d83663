"""DELETE, UPDATE and MERGE as the rows that a copy-on-write keeps: against rows in DuckDB."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from lakehouse.embedded.dremio.sql import SqlError, parse
from lakehouse.embedded.dremio.sql.dml import (
    MergePlan,
    count_plan,
    delete_plan,
    merge_plan,
    simple_filter,
    update_plan,
)
from lakehouse.embedded.dremio.sql.model import Column, Delete, Merge, Path, Plan, Relation, Update, Version
from lakehouse_tests.embedded.dremio.sql.tables import connect

TARGET = Relation(
    ("lake", "gold", "target"),
    (Column("id", "BIGINT"), Column("v", "CHARACTER VARYING"), Column("n", "INTEGER")),
    "table",
)
SOURCE = Relation(("lake", "gold", "changes"), TARGET.columns, "table")


class Tables:
    def resolve(self, path: Path, version: Version | None = None) -> Relation:
        for relation in (TARGET, SOURCE):
            if tuple(part.lower() for part in path) == relation.path:
                return relation
        raise SqlError(f"no dataset {'.'.join(path)}")


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    return connect()


def run(duck: duckdb.DuckDBPyConnection, plan: Plan, changes: str = "(1, 'new', 10)") -> list[Any]:
    rows = {
        TARGET.path: "SELECT * FROM (VALUES (1::BIGINT, 'a', 1::INT), (2, 'b', NULL), (3, NULL, 3)) AS r(id, v, n)",
        SOURCE.path: f"SELECT id::BIGINT AS id, v::VARCHAR AS v, n::INT AS n FROM (VALUES {changes}) AS r(id, v, n)",
    }
    for scan in plan.scans:
        duck.execute(f'CREATE OR REPLACE TEMP VIEW "{scan.placeholder}" AS {rows[scan.path]}')
    return sorted(duck.sql(plan.sql).fetchall(), key=repr)


def merge(sql: str) -> MergePlan:
    statement = parse(sql)
    assert isinstance(statement, Merge)
    return merge_plan(statement, Tables())


@pytest.mark.parametrize(
    ("sql", "remaining"),
    [
        ("DELETE FROM lake.gold.target WHERE v = 'a'", [2, 3]),
        ("DELETE FROM lake.gold.target WHERE NOT v = 'a'", [1, 3]),  # NULL is no match
        ("DELETE FROM lake.gold.target AS t WHERE t.n IS NULL OR t.id = 3", [1]),
        ("DELETE FROM lake.gold.target WHERE id IN (SELECT id FROM lake.gold.changes)", [2, 3]),
        ("DELETE FROM lake.gold.target", []),
    ],
)
def test_delete_keeps_what_does_not_match(
    duck: duckdb.DuckDBPyConnection, sql: str, remaining: list[int]
) -> None:
    statement = parse(sql)
    assert isinstance(statement, Delete)
    plan = delete_plan(statement, Tables())
    assert [row[0] for row in run(duck, plan)] == remaining
    assert plan.names == ("id", "v", "n")
    gone = count_plan(statement.path, statement.alias, statement.where, Tables())
    assert run(duck, gone) == [(3 - len(remaining),)]


def test_update_changes_matching_rows_only(duck: duckdb.DuckDBPyConnection) -> None:
    statement = parse("UPDATE lake.gold.target SET N = n + 1, v = UPPER(v) WHERE n < 3")
    assert isinstance(statement, Update)
    assert run(duck, update_plan(statement, Tables())) == [(1, "A", 2), (2, "b", None), (3, None, 3)]


DBT = """merge into lake.gold.target as DBT_INTERNAL_DEST using lake.gold.changes as DBT_INTERNAL_SOURCE
on (DBT_INTERNAL_SOURCE.id = DBT_INTERNAL_DEST.id)
when matched then update set "v" = DBT_INTERNAL_SOURCE."v", "n" = DBT_INTERNAL_SOURCE."n"
when not matched then insert ("id", "v", "n")
values (DBT_INTERNAL_SOURCE."id", DBT_INTERNAL_SOURCE."v", DBT_INTERNAL_SOURCE."n")"""


@pytest.mark.parametrize(
    "sql",
    [
        DBT,
        """MERGE INTO lake.gold.target AS t USING (SELECT * FROM lake.gold.changes) AS s ON t.id = s.id
           WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *""",
    ],
)
def test_merge_updates_and_inserts(duck: duckdb.DuckDBPyConnection, sql: str) -> None:
    found = merge(sql)
    changes = "(1, 'new', 10), (9, 'nine', NULL)"
    assert run(duck, found.content, changes) == [
        (1, "new", 10),
        (2, "b", None),
        (3, None, 3),
        (9, "nine", None),
    ]
    assert run(duck, found.ambiguous, changes) == [(False,)]
    assert run(duck, found.affected, changes) == [(2,)]


def test_merge_sees_a_target_row_matched_twice(duck: duckdb.DuckDBPyConnection) -> None:
    assert run(duck, merge(DBT).ambiguous, "(1, 'x', 1), (1, 'y', 2)") == [(True,)]


def test_merge_that_only_inserts_may_match_twice(duck: duckdb.DuckDBPyConnection) -> None:
    found = merge(
        "MERGE INTO lake.gold.target t USING lake.gold.changes s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)"
    )
    changes = "(1, 'x', 1), (1, 'y', 2), (7, 'z', 3)"
    assert run(duck, found.ambiguous, changes) == [(False,)]
    assert run(duck, found.content, changes) == [(1, "a", 1), (2, "b", None), (3, None, 3), (7, None, None)]


def test_a_condition_that_is_null_leaves_the_row_to_the_next_clause(duck: duckdb.DuckDBPyConnection) -> None:
    found = merge(
        """MERGE INTO lake.gold.target t USING lake.gold.changes s ON t.id = s.id
           WHEN MATCHED AND s.n > 5 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v"""
    )
    assert run(duck, found.content, "(1, 'gone', 10), (2, 'kept', NULL)") == [(2, "kept", None), (3, None, 3)]


@pytest.mark.parametrize(
    ("clause", "reason"),
    [
        ("WHEN MATCHED THEN UPDATE SET nope = 1", "no column nope in the target"),
        ("WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id, 2)", "names 1 columns and gives 2 values"),
        ("WHEN NOT MATCHED BY SOURCE THEN DELETE", "BY SOURCE is not supported"),
        (
            "WHEN NOT MATCHED AND s.n = 1 THEN INSERT (id) VALUES (1) WHEN NOT MATCHED THEN INSERT (id) VALUES (2)",
            "several WHEN NOT MATCHED",
        ),
    ],
)
def test_merge_refusals(clause: str, reason: str) -> None:
    with pytest.raises(SqlError, match=reason):
        merge(f"MERGE INTO lake.gold.target t USING lake.gold.changes s ON t.id = s.id {clause}")


FILTERED = (
    Column("id", "BIGINT"),
    Column("day", "DATE"),
    Column("at", "TIMESTAMP"),
    Column("s", "CHARACTER VARYING"),
    Column("amount", "DECIMAL(12, 2)"),
)


@pytest.mark.parametrize(
    ("where", "conjuncts"),
    [
        (
            "day >= DATE '2025-01-01' AND '2025-02-01' > day",
            [("day", ">=", "2025-01-01"), ("day", "<", "2025-02-01")],
        ),
        ("id BETWEEN 1 AND 5", [("id", ">=", 1), ("id", "<=", 5)]),
        (
            "t.s = 'x' AND (at < TIMESTAMP '2025-01-01 00:00:00')",
            [("s", "=", "x"), ("at", "<", "2025-01-01 00:00:00")],
        ),
        ("day IN (DATE '2025-01-01', '2025-01-03')", [("day", "in", ["2025-01-01", "2025-01-03"])]),
        ("t.id IN (1, 2) AND s = 'x'", [("id", "in", [1, 2]), ("s", "=", "x")]),
        # anything whose comparison might not be the one statistics make
        ("day < TIMESTAMP '2025-01-01 12:00:00'", None),
        ("day = '2025-1-5'", None),
        ("s = 5", None),
        ("id = 1.5", None),
        ("amount > 1", None),
        ("s = 'a' OR s = 'b'", None),
        ("LOWER(s) = 'a'", None),
        ("nope = 1", None),
        ("day IN (DATE '2025-01-01', NULL)", None),
        ("id NOT IN (1, 2)", None),
        ("id IN (SELECT id FROM lake.gold.other)", None),
    ],
)
def test_simple_filters(where: str, conjuncts: object) -> None:
    statement = parse(f"DELETE FROM lake.gold.t AS t WHERE {where}")
    assert isinstance(statement, Delete)
    assert simple_filter(statement.where, FILTERED) == conjuncts
