"""Names, views, reflections and refusals of the planner."""

from __future__ import annotations

import duckdb
import pytest

from lakehouse.embedded.dremio.sql import SqlError, parse, plan
from lakehouse.embedded.dremio.sql.model import (
    AlterTable,
    Column,
    CreateTable,
    CreateView,
    Delete,
    Drop,
    Insert,
    Plan,
    Query,
    ReflectionCandidate,
    Relation,
)
from lakehouse_tests.embedded.dremio.sql.tables import Tables

ORDERS = Relation(
    ("lake", "gold", "orders"),
    (
        Column("order_id", "BIGINT"),
        Column("day", "DATE"),
        Column("at", "TIMESTAMP"),
        Column("status", "CHARACTER VARYING"),
        Column("amount", "DECIMAL(12, 2)"),
    ),
    "table",
)
BY_DAY = ReflectionCandidate(
    "by_day",
    ORDERS.path,
    "AGGREGATION",
    dimensions=(("day", "DATE"), ("at", "DATE"), ("status", "NORMAL")),
    measures=(("amount", ("SUM", "COUNT", "MAX")),),
    rows=10,
)
RAW = ReflectionCandidate("raw", ORDERS.path, "RAW", display=("order_id", "status"), rows=1000)


def planned(sql: str, *candidates: ReflectionCandidate, tables: Tables | None = None) -> Plan:
    statement = parse(sql)
    assert isinstance(statement, Query)
    return plan(statement.tree, tables or Tables(ORDERS), candidates)


def test_result_names_are_as_written_and_unique() -> None:
    names = planned('SELECT Order_ID, COUNT(*), 1, "DAY", day FROM lake.gold.orders GROUP BY 1, 4, 5').names
    assert names == ("Order_ID", "EXPR$1", "EXPR$2", "DAY", "day0")


def test_a_schema_in_one_quoted_part_is_found() -> None:
    assert planned('SELECT order_id FROM "lake.gold"."orders"').datasets == (ORDERS.path,)


def test_a_cte_hides_a_dataset() -> None:
    sql = "WITH orders AS (SELECT 1 AS x) SELECT x FROM orders"
    assert planned(sql).scans == ()


def test_views_are_expanded_and_their_circles_refused() -> None:
    view = Relation(
        ("lake", "gold", "v"), (Column("n", "BIGINT"),), "view", "SELECT COUNT(*) FROM lake.gold.orders"
    )
    assert planned("SELECT n FROM lake.gold.v", tables=Tables(ORDERS, view)).scans[0].path == ORDERS.path
    circle = Relation(("lake", "gold", "v"), (Column("n", "BIGINT"),), "view", "SELECT n FROM lake.gold.v")
    with pytest.raises(SqlError, match=r"view lake\.gold\.v contains itself"):
        planned("SELECT n FROM lake.gold.v", tables=Tables(circle))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT day, SUM(amount) FROM lake.gold.orders GROUP BY day",
        "SELECT COUNT(*), AVG(amount), MAX(amount) FROM lake.gold.orders WHERE status = 'x'",
        "SELECT DATE_TRUNC('month', day) AS m, COUNT(amount) FROM lake.gold.orders GROUP BY 1 HAVING COUNT(*) > 1",
        "SELECT CAST(at AS DATE), COUNT(*) FROM lake.gold.orders GROUP BY CAST(at AS DATE)",
        "SELECT DISTINCT status FROM lake.gold.orders",
        "SELECT x.s FROM (SELECT SUM(amount) AS s FROM lake.gold.orders) AS x",
        "WITH d AS (SELECT day, MAX(day) AS last_day FROM lake.gold.orders GROUP BY day) SELECT * FROM d",
    ],
)
def test_derivable_aggregates_are_accelerated(sql: str) -> None:
    found = planned(sql, BY_DAY)
    assert found.reflection_scans == (("reflection_0", "by_day"),)
    assert found.scans == ()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT COUNT(DISTINCT status) FROM lake.gold.orders", "not over a plain column"),
        ("SELECT SUM(amount * 2) FROM lake.gold.orders", "not over a plain column"),
        ("SELECT MIN(amount) FROM lake.gold.orders", "has no measure"),
        ("SELECT SUM(amount) FROM lake.gold.orders WHERE amount > 1", "amount is no dimension"),
        ("SELECT at, SUM(amount) FROM lake.gold.orders GROUP BY at", "at is kept by day"),
        ("SELECT EXTRACT(HOUR FROM at), COUNT(*) FROM lake.gold.orders GROUP BY 1", "at is kept by day"),
        ("SELECT MAX(at) FROM lake.gold.orders", "has no measure"),
        ("SELECT day FROM lake.gold.orders", "does not aggregate"),
        ("SELECT SUM(amount) OVER () FROM lake.gold.orders", "windows"),
        ("SELECT * FROM lake.gold.orders", "all columns"),
        ("SELECT MEDIAN(amount) FROM lake.gold.orders", "MEDIAN cannot be derived"),
    ],
)
def test_what_cannot_be_derived_is_not_accelerated(sql: str, reason: str) -> None:
    found = planned(sql, BY_DAY)
    assert found.reflection_scans == ()
    assert reason in found.uses[0].reason


def test_a_raw_reflection_serves_its_columns_only() -> None:
    assert planned("SELECT order_id FROM lake.gold.orders WHERE status = 'x'", RAW).reflection_scans
    assert not planned("SELECT order_id, amount FROM lake.gold.orders", RAW).reflection_scans


def test_the_smallest_reflection_is_chosen() -> None:
    found = planned("SELECT status, COUNT(*) FROM lake.gold.orders GROUP BY status", BY_DAY, RAW)
    assert {use.reflection_id: use.relationship for use in found.uses} == {
        "by_day": "CHOSEN",
        "raw": "MATCHED",
    }


def test_accelerated_answers_equal_direct_ones() -> None:
    duck = duckdb.connect()
    duck.execute(
        """CREATE TABLE scan_0 AS SELECT i AS order_id, DATE '2025-01-01' + CAST(i % 5 AS INT) AS day,
           TIMESTAMP '2025-01-01 10:00:00' + to_hours(CAST(i % 50 AS INT)) AS "at",
           CASE WHEN i % 7 = 0 THEN NULL ELSE 's' || (i % 3) END AS status,
           CASE WHEN i % 11 = 0 THEN NULL ELSE CAST(i AS DECIMAL(12, 2)) / 4 END::DECIMAL(12, 2) AS amount
           FROM range(1000) t(i)"""
    )
    duck.execute(
        """CREATE TABLE reflection_0 AS SELECT day, date_trunc('day', "at") AS "at", status, sum(amount) AS __sum_amount,
           count(amount) AS __count_amount, max(amount) AS __max_amount, count(*) AS __count_star
           FROM scan_0 GROUP BY day, date_trunc('day', "at"), status"""
    )
    for sql in (
        "SELECT day, SUM(amount) AS s, COUNT(*) AS c FROM lake.gold.orders GROUP BY day ORDER BY day",
        "SELECT status, COUNT(amount), AVG(amount), MAX(amount) FROM lake.gold.orders GROUP BY status ORDER BY 1",
        "SELECT COUNT(*), COUNT(status), SUM(amount) FROM lake.gold.orders WHERE day > DATE '2030-01-01'",
        "SELECT CAST(at AS DATE) AS d, COUNT(*) FROM lake.gold.orders GROUP BY 1 HAVING COUNT(*) > 3 ORDER BY 1",
        "SELECT DISTINCT status FROM lake.gold.orders ORDER BY status",
        "SELECT MIN(day), MAX(status) FROM lake.gold.orders",
    ):
        direct, accelerated = planned(sql), planned(sql, BY_DAY)
        assert accelerated.reflection_scans, sql
        assert duck.sql(accelerated.sql).fetchall() == duck.sql(direct.sql).fetchall(), sql


def test_create_table_takes_dbts_options() -> None:
    statement = parse(
        '/* {"node_id": "model.x"} */ create table "lake"."gold"."t" hash partition by (a, day(b)) '
        "localsort by (c) store as (type=>'iceberg') with single writer as ( select 1 as a )"
    )
    assert isinstance(statement, CreateTable)
    assert statement.path == ("lake", "gold", "t")
    assert [(f.column, f.transform) for f in statement.partition_by] == [("a", "identity"), ("b", "day")]
    assert statement.sort_by == ("c",)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("create or replace view lake.gold.v as select 1 as x", CreateView),
        ('drop table if exists "lake"."gold"."t"', Drop),
        ("drop view lake.gold.v;", Drop),
        ('insert into "lake"."gold"."t"( "a", "b" ) select "a", "b" from "lake"."gold"."t__dbt_tmp"', Insert),
        ("delete from lake.gold.t where day >= date '2025-01-01' and day < date '2025-01-02'", Delete),
        (
            "alter pds lake.gold.t refresh metadata auto promotion force update delete when missing",
            AlterTable,
        ),
        ('alter table lake.gold.t alter column "c" "c" bigint', AlterTable),
        ("alter table lake.gold.t add columns (c decimal(12,2), d varchar(20))", AlterTable),
    ],
)
def test_dbts_statements_are_known(sql: str, kind: type) -> None:
    assert isinstance(parse(sql), kind)


@pytest.mark.parametrize(
    "sql",
    ["VACUUM TABLE t", "COPY INTO t FROM '@s'", "GRANT SELECT ON TABLE t TO ROLE r", "CREATE USER x", "ROLLBACK TABLE t TO",
     "ATTACH 'x' AS y", "PRAGMA version", "SET threads = 1", "CALL f()", "SELECT 1; DROP TABLE t", "", "SELECT FROM WHERE"],
)  # fmt: skip
def test_other_statements_are_refused(sql: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse(sql)
    assert "\n" not in str(caught.value)


ROWS = "(VALUES (1, 'a'), (2, NULL), (3, 'c')) AS t(id, s)"


def answer(sql: str, tables: Tables | None = None) -> list[tuple[object, ...]]:
    duck = duckdb.connect()
    duck.execute("SET GLOBAL integer_division=true")
    duck.execute("CREATE TABLE scan_0 AS SELECT 7 AS order_id")
    return duck.sql(planned(sql, tables=tables).sql).fetchall()


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (f"SELECT s FROM {ROWS} ORDER BY s", [("a",), ("c",), (None,)]),
        (f"SELECT s FROM {ROWS} ORDER BY s DESC", [(None,), ("c",), ("a",)]),
        (f"SELECT * FROM {ROWS} ORDER BY 1 DESC", [(3, "c"), (2, None), (1, "a")]),
        (f"SELECT * FROM {ROWS} UNION ALL SELECT 0, 'z' ORDER BY 1 LIMIT 1", [(0, "z")]),
        (f"SELECT MOD(id, 2) AS id, COUNT(*) FROM {ROWS} GROUP BY id ORDER BY 1", [(0, 1), (1, 2)]),
    ],
)
def test_orders_nulls_and_aliases(sql: str, rows: list[tuple[object, ...]]) -> None:
    assert answer(sql) == rows


def test_a_cte_named_like_a_placeholder_hides_nothing() -> None:
    narrow = Relation(ORDERS.path, ORDERS.columns[:1], "table")
    sql = "WITH scan_0 AS (SELECT 99 AS order_id) SELECT order_id FROM lake.gold.orders"
    assert answer(sql, Tables(narrow)) == [(7,)]


def test_a_view_of_a_star_takes_its_columns_by_name() -> None:
    made_with = (Column("status", "CHARACTER VARYING"), Column("order_id", "BIGINT"))
    view = Relation(("lake", "gold", "v"), made_with, "view", "SELECT * FROM lake.gold.orders")
    sql = planned("SELECT order_id FROM lake.gold.v", tables=Tables(ORDERS, view)).sql
    duck = duckdb.connect()
    duck.execute(
        'CREATE TABLE scan_0 AS SELECT 7 AS order_id, NULL::DATE AS day, NULL::TIMESTAMP AS "at", '
        "'x' AS status, 1.5 AS amount"
    )
    assert duck.sql(sql).fetchall() == [(7,)]


def test_pivot_is_refused_by_name() -> None:
    with pytest.raises(SqlError, match="PIVOT and UNPIVOT"):
        planned("SELECT * FROM lake.gold.orders PIVOT (SUM(amount) FOR status IN ('a', 'b'))")
