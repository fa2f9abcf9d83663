"""Dremio SQL and the values Dremio's reference documents, through the planner, on a DuckDB set as the engine sets it."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from lakehouse.embedded.dremio.sql import SqlError, parse, plan
from lakehouse.embedded.dremio.sql.model import Path, Query, Relation, Version


class NoTables:
    def resolve(self, path: Path, version: Version | None = None) -> Relation:
        raise SqlError(f"no dataset {'.'.join(path)}")


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET GLOBAL integer_division=true")
    connection.execute("SET GLOBAL TimeZone='UTC'")
    return connection


def value(duck: duckdb.DuckDBPyConnection, sql: str) -> Any:
    statement = parse(f"SELECT {sql}")
    assert isinstance(statement, Query)
    row = duck.execute(plan(statement.tree, NoTables()).sql).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        # formats are honoured
        ("TO_CHAR(DATE '2021-02-11', 'yyyy.mm.dd')", "2021.02.11"),
        ("TO_CHAR(CAST('01:02:03' AS TIME), 'HH:MI')", "01:02"),
        (
            "TO_CHAR(TIMESTAMP '2021-02-11 14:05:06.789', 'YYYY-MM-DD HH24:MI:SS.FFF')",
            "2021-02-11 14:05:06.789",
        ),
        ("TO_DATE('31.12.2021', 'DD.MM.YYYY')", date(2021, 12, 31)),
        ("TO_DATE('2021-12-31')", date(2021, 12, 31)),
        ("TO_TIMESTAMP('31.12.2021 23:59:58', 'DD.MM.YYYY HH24:MI:SS')", datetime(2021, 12, 31, 23, 59, 58)),
        ("TO_TIMESTAMP(1640131200)", datetime(2021, 12, 22)),
        ("TO_TIME('09:15', 'HH24:MI')", time(9, 15)),
        # differences keep their order and their units
        ("TIMESTAMPDIFF(MONTH, DATE '2021-02-01', DATE '2021-05-01')", 3),
        ("TIMESTAMPDIFF(DAY, TIMESTAMP '2003-02-01 11:43:22', TIMESTAMP '2005-04-09 12:05:55')", 798),
        ("TIMESTAMPDIFF(SQL_TSI_HOUR, TIMESTAMP '2021-01-01 00:00:00', TIMESTAMP '2021-01-01 05:59:59')", 5),
        ("TIMESTAMPDIFF(DAY, DATE '2021-01-05', DATE '2021-01-01')", -4),
        ("DATEDIFF(DATE '2022-01-05', DATE '2022-01-01')", 4),
        ("TIMESTAMPADD(DAY, 1, DATE '2021-02-28')", date(2021, 3, 1)),
        ("TIMESTAMPADD(SQL_TSI_MINUTE, 90, TIMESTAMP '2021-02-28 23:00:00')", datetime(2021, 3, 1, 0, 30)),
        ("DATE_ADD(DATE '2022-01-01', 2)", date(2022, 1, 3)),
        ("DATE_ADD('2022-01-01', CAST(2 AS INTERVAL MONTH))", datetime(2022, 3, 1)),
        ("DATE_SUB(DATE '2022-01-01', 1)", date(2021, 12, 31)),
        ("DATE '2022-01-31' + INTERVAL '1' DAY", date(2022, 2, 1)),
        # weeks begin on Sunday, which is day 1
        ("DAYOFWEEK(DATE '2021-02-28')", 1),
        ("EXTRACT(DOW FROM DATE '2021-03-06')", 7),
        ("EXTRACT(DAY FROM DATE '2021-03-06')", 6),
        ("DATE_PART('year', TIMESTAMP '2022-01-13 00:00:00')", 2022),
        ("WEEK(DATE '2021-01-04')", 1),
        ("DAYOFYEAR(DATE '2021-02-28')", 59),
        ("DATE_TRUNC('month', DATE '2021-12-24')", date(2021, 12, 1)),
        ("DATE_TRUNC('minute', TIMESTAMP '2021-12-24 12:28:33')", datetime(2021, 12, 24, 12, 28)),
        ("LAST_DAY(DATE '2009-01-12')", date(2009, 1, 31)),
        ("UNIX_TIMESTAMP('2017-07-19 23:30:00')", 1500507000),
        ("DATE_ADD(DATE '2022-01-01', CAST(2 AS INTERVAL MONTH))", datetime(2022, 3, 1)),
        # casts
        ("CAST(1.5 AS DECIMAL)", Decimal("2")),
        ("CAST(2.5e0 AS INT)", 3),
        ("CAST(-2.5e0 AS BIGINT)", -3),
        ("CAST(1e8 AS VARCHAR)", "1.0E8"),
        ("CAST(0.5e0 AS VARCHAR)", "0.5"),
        ("CAST('TRUE' AS BOOLEAN)", True),
        ("TRY_CAST('1.5' AS INT)", None),
        # arithmetic
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7.0 / 2", 3.5),
        ("MOD(7, 3)", 1),
        ("CAST(2.5 AS INT)", 3),
        ("ROUND(-24.35, 1)", Decimal("-24.4")),
        ("SIGN(-5)", -1),
        ("LOG(2, 8)", 3.0),
        # text
        ("ILIKE('pancake', '%CAKE')", True),
        ("CONCAT('CA', NULL, 'KE')", "CAKE"),
        ("'CA' || NULL", None),
        ("SUBSTRING('base camp', -4)", "camp"),
        ("SUBSTR('dremio user 1 2 3', 12)", " 1 2 3"),
        ("SUBSTRING('abc', 0, 2)", "ab"),
        ("SUBSTRING('abc', -5)", ""),
        ("LOCATE('mi', 'dremio')", 4),
        ("POSITION('re' IN 'dremio')", 2),
        ("STRPOS('dremio', 'zz')", 0),
        ("BTRIM('  x ')", "x"),
        ("LPAD('a', 3)", "  a"),
        ("OCTET_LENGTH('é')", 2),
        ("LENGTH('é')", 1),
        ("SPLIT_PART('127.0.0.1', '.', 2)", "0"),
        ("CONVERT_FROM(CONVERT_TO('x', 'UTF8'), 'UTF8')", "x"),
        ("CAST(TIMESTAMP '2021-01-01 02:03:04' AS VARCHAR)", "2021-01-01 02:03:04.000"),
        ("CAST('abcdef' AS VARCHAR(3))", "abc"),
        # conditions
        ("IIF(1 > 2, 'a', 'b')", "b"),
        ("NVL(NULL, 'x')", "x"),
        ("DECODE(3, 1, 'one', 3, 'three', 'other')", "three"),
        ("NULLIF(1, 1)", None),
        ("CASE WHEN NULL THEN 1 ELSE 2 END", 2),
    ],
)
def test_documented_value(duck: duckdb.DuckDBPyConnection, sql: str, expected: Any) -> None:
    found = value(duck, sql)
    assert found == expected
    if expected is not None:
        assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("HASH('x')", "unknown function HASH"),
        ("FROBNICATE(1)", "unknown function FROBNICATE"),
        ("TO_CHAR(12.5, '##.#')", "TO_CHAR of numbers is not supported"),
        ("TO_DATE('x', 'JJJJ')", "unknown element at 'JJJJ'"),
        ("DATE '2021-01-02' - DATE '2021-01-01'", "use DATEDIFF or TIMESTAMPDIFF"),
        ("DATE_DIFF(DATE '2021-01-02', DATE '2021-01-01')", "use DATEDIFF"),
        ("DATEDIFF(DAY, DATE '2021-01-02', DATE '2021-01-01')", "DATEDIFF takes 2 arguments, not 3"),
        ("REGEXP_LIKE('a', 'b')", "not anchored at both ends"),
        ("getenv('HOME')", "unknown function GETENV"),
        ("LEVENSHTEIN('a', 'b')", "is not supported by the local engine"),
        ("CURRENT_USER", "CURRENT_USER is not supported"),
        ("nonsense", "Column 'nonsense' could not be resolved"),
    ],
)
def test_what_is_not_known_is_refused_by_name(duck: duckdb.DuckDBPyConnection, sql: str, reason: str) -> None:
    with pytest.raises(SqlError) as caught:
        value(duck, sql)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "table", ["read_csv('/etc/passwd')", "read_parquet('x')", "glob('*')", "duckdb_settings()"]
)
def test_no_table_function_reaches_duckdb(table: str) -> None:
    with pytest.raises(SqlError):
        value_of_table(table)


def value_of_table(table: str) -> None:
    statement = parse(f"SELECT * FROM {table}")
    assert isinstance(statement, Query)
    plan(statement.tree, NoTables())


def test_a_file_name_is_no_table() -> None:
    statement = parse("SELECT * FROM '/etc/passwd'")
    assert isinstance(statement, Query)
    with pytest.raises(SqlError, match="no dataset"):
        plan(statement.tree, NoTables())


def test_division_by_zero_fails_as_in_dremio(duck: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.Error, match="division by zero"):
        value(duck, "1 / (2 - 2)")


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("1e0 / 0e0", "division by zero"),
        ("CAST('1.5' AS INT)", "not a whole number for INT: 1.5"),
        ("CAST('yes' AS BOOLEAN)", "not a BOOLEAN: yes"),
        ("CAST('2020-01-01 00:00:00+02:00' AS TIMESTAMP)", "not a TIMESTAMP"),
        ("GREATEST(1, NULL)", "use COALESCE"),
    ],
)
def test_values_that_do_not_fit_fail(duck: duckdb.DuckDBPyConnection, sql: str, complaint: str) -> None:
    with pytest.raises(duckdb.Error, match=complaint):
        value(duck, sql)


def test_sum_of_integers_is_a_bigint(duck: duckdb.DuckDBPyConnection) -> None:
    statement = parse("SELECT SUM(x), SUM(x) OVER () FROM (VALUES (1), (2)) AS t(x) GROUP BY x")
    assert isinstance(statement, Query)
    planned = plan(statement.tree, NoTables())
    assert [str(kind) for kind in duck.sql(planned.sql).types] == ["BIGINT", "BIGINT"]
