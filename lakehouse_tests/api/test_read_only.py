"""Which statements are let through to Dremio."""

from __future__ import annotations

import pytest

from lakehouse.api.problems import ApiError
from lakehouse.api.query.read_only import MOST_CHARACTERS, require_read_only


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "  select * from lake.gold.fct_orders where status = '; DROP TABLE x; --' ;  ",
        "-- of the month\n/* all of it */ WITH a AS (SELECT 1 AS x) SELECT x FROM a UNION ALL SELECT 2",
        "((SELECT 1))",
        "EXPLAIN PLAN FOR SELECT 1",
        "SELECT DATE_TRUNC('month', d), APPROX_COUNT_DISTINCT(x) FROM lake.gold.t GROUP BY 1",
    ],
)
def test_queries_are(sql: str) -> None:
    require_read_only(sql)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("", "only SELECT, WITH and EXPLAIN PLAN FOR are answered"),
        ("DROP TABLE lake.gold.fct_orders", "only SELECT"),
        ("VALUES (1)", "only SELECT"),
        ("// x\nSELECT 1", "only SELECT"),
        ("/*+ hint */ DROP TABLE x", "only SELECT"),
        ("ALTER SESSION SET x = 1", "only SELECT"),
        ("EXPLAIN PLAN FOR DELETE FROM lake.gold.fct_orders", "only SELECT"),
        ("EXPLAIN ANALYZE SELECT 1", "only SELECT"),
        ("SELECTED", "only SELECT"),
        ("SELECT 1; DROP TABLE x", "sql holds 2 statements; one is answered"),
        ("SELECT 1;;SELECT 2", "sql holds 2 statements"),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", "no query but INSERT"),
        ("WITH a AS (SELECT 1) DELETE FROM t", "no query but DELETE"),
        ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", "sql holds DELETE"),
        ("SELECT * INTO t FROM x", "sql holds INTO"),
        ("SELECT * FROM t FOR UPDATE", "sql holds LOCK"),
        ("SELECT * FROM TABLE(pg.external_query('DROP TABLE x'))", "external_query is not answered"),
        ('SELECT * FROM TABLE("pg"."EXTERNAL_QUERY"(\'DROP TABLE x\'))', "EXTERNAL_QUERY is not answered"),
        ("SELECT FROM WHERE", "sql cannot be parsed"),
        ("SELECT 'never ends", "sql cannot be parsed"),
        ("(" * 5000 + "SELECT 1" + ")" * 5000, "nested too deeply"),
        ("SELECT " + "1," * MOST_CHARACTERS, "characters; 20000 are allowed"),
    ],
)
def test_nothing_else_is(sql: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        require_read_only(sql)
    assert caught.value.status == 400
    assert words in caught.value.detail
