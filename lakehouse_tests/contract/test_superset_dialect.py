"""Superset's SQLAlchemy and sqlglot over the embedded engine: with our dialects, and with the driver as it is."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakehouse.embedded.superset as package
from lakehouse_tests.engine import PASSWORD, USER, Engine, running_engine
from lakehouse_tests.superset import superset_python

pytestmark = pytest.mark.slow

INSIDE = Path(package.__file__).parent / "inside"
PROBES = Path(__file__).with_name("superset_probes.py")
TABLE = """CREATE TABLE lake.gold.probe AS
    SELECT CAST(1 AS INT) AS id, CAST(9007199254740995 AS BIGINT) AS big, CAST(1.50 AS DECIMAL(12, 2)) AS amount,
        CAST(0.5 AS DOUBLE) AS share, TIMESTAMP '2026-01-05 12:30:01.250' AS at, DATE '2026-01-05' AS day,
        'o''x' AS name, TRUE AS online
    UNION ALL
    SELECT 2, NULL, NULL, NULL, TIMESTAMP '9999-12-31 00:00:00.000', NULL, NULL, FALSE"""
QUERIES = {
    "everything": "SELECT * FROM lake.gold.probe ORDER BY id",
    "dotted": 'SELECT COUNT(*) AS n FROM "lake.gold"."probe"',
    "times": "SELECT MIN(at) AS first FROM lake.gold.probe",
    "numbers": "SELECT big, share FROM lake.gold.probe ORDER BY id",
    "dates": "SELECT day, SUM(amount) AS total FROM lake.gold.probe GROUP BY day ORDER BY day NULLS LAST",
    "nothing": "SELECT id, amount, at FROM lake.gold.probe WHERE id = 3",
    "percent": "SELECT id FROM lake.gold.probe WHERE name LIKE '%x%'",
    "seen": "SELECT id, at FROM lake.gold.probe WHERE id = 1",
    "wrong": "SELECT no_such_column FROM lake.gold.probe",
}
AS_WRITTEN = [
    "SELECT TO_CHAR(at, 'YYYY-MM') AS month, COUNT(*) FROM lake.gold.probe GROUP BY TO_CHAR(at, 'YYYY-MM')",
    "SELECT DAYOFWEEK(day), WEEKOFYEAR(day), TIMESTAMPDIFF(HOUR, a, b), DATE_ADD(day, 3) FROM t",
    "SELECT APPROX_COUNT_DISTINCT(x), SHA1(y), LOCATE('a', y) FROM t",
    "SELECT DATE_TRUNC('MONTH', ts) AS ts_44ad63, SUM(amount) AS \"SUM(amount)_ee23fa\" FROM t"
    " WHERE ts >= TO_TIMESTAMP('2026-01-05 00:00:00.000', 'YYYY-MM-DD HH24:MI:SS.FFF')"
    " GROUP BY DATE_TRUNC('MONTH', ts) ORDER BY \"SUM(amount)_ee23fa\" DESC LIMIT 1000",
    "SELECT COUNT(DISTINCT x), SUM(CASE WHEN a = 1 THEN b ELSE 0 END) FROM t WHERE dt >= TO_DATE('2026-01-05', 'YYYY-MM-DD')",
    "SELECT EXTRACT(YEAR FROM day), CAST(x AS VARCHAR), SUBSTRING(y, 1, 2), POSITION('a' IN y), TRIM(y) FROM t",
    "SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) AS n FROM (SELECT * FROM t) AS virtual_table",
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine")) as running:
        running.rows(TABLE)
        running.rows("CREATE VIEW lake.gold.probe_view AS SELECT id FROM lake.gold.probe")
        yield running


@pytest.fixture(scope="module")
def ours(engine: Engine) -> dict[str, Any]:
    return probed(engine, plain=False)


@pytest.fixture(scope="module")
def plain(engine: Engine) -> dict[str, Any]:
    return probed(engine, plain=True)


def probed(engine: Engine, *, plain: bool, options: str = "") -> dict[str, Any]:
    url = f"dremio+flight://{USER}:{PASSWORD}@127.0.0.1:{engine.flight_port}/?UseEncryption=false{options}"
    return asked(
        {"url": url, "plain": plain, "queries": QUERIES, "statements": AS_WRITTEN, "catalogue": True}
    )


def asked(question: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [str(superset_python(Path("nowhere"))), str(PROBES)],
        input=json.dumps(question),
        env={**os.environ, "PYTHONPATH": str(INSIDE)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_values_and_types_are_those_of_the_server(ours: dict[str, Any]) -> None:
    assert ours["dialect"] == "lakehouse_dremio"
    found = ours["queries"]["everything"]
    assert found["types"] == [
        "INTEGER", "BIGINT", "DECIMAL(12, 2)", "DOUBLE", "TIMESTAMP", "DATE", "VARCHAR", "BOOLEAN",
    ]  # fmt: skip
    first, last = found["rows"]
    assert first == [
        "1", "9007199254740995", "Decimal('1.50')", "0.5", "datetime.datetime(2026, 1, 5, 12, 30, 1, 250000)",
        "datetime.date(2026, 1, 5)", '"o\'x"', "True",
    ]  # fmt: skip
    assert last == [
        "2",
        "None",
        "None",
        "None",
        "datetime.datetime(9999, 12, 31, 0, 0)",
        *["None"] * 2,
        "False",
    ]
    assert ours["queries"]["numbers"]["rows"] == [["9007199254740995", "0.5"], ["None", "None"]]
    assert ours["queries"]["times"]["types"] == ["TIMESTAMP"]
    assert ours["queries"]["nothing"] == {"types": ["INTEGER", "DECIMAL(12, 2)", "TIMESTAMP"], "rows": []}
    assert ours["queries"]["percent"]["rows"] == [["1"]]
    assert ours["queries"]["dotted"]["rows"] == [["2"]]


def test_the_catalogue_tells_tables_from_views_and_names_what_is_missing(ours: dict[str, Any]) -> None:
    catalogue = ours["catalogue"]
    assert "lake.gold" in catalogue["schemas"]
    assert (catalogue["tables"], catalogue["views"], catalogue["has"]) == (
        ["probe"],
        ["probe_view"],
        [True, False],
    )
    assert catalogue["columns"] == {
        "id": "INTEGER", "big": "BIGINT", "amount": "DECIMAL(12, 2)", "share": "FLOAT", "at": "TIMESTAMP",
        "day": "DATE", "name": "VARCHAR", "online": "BOOLEAN",
    }  # fmt: skip
    assert catalogue["missing"] == {"error": "NoSuchTableError: lake.gold.nowhere"}
    assert "online IS TRUE" in catalogue["true"].replace("\n", " ")


def test_an_error_is_one_line_without_the_transport(ours: dict[str, Any]) -> None:
    error = ours["queries"]["wrong"]["error"]
    assert error.startswith("DatabaseError: ")
    assert "no_such_column" in error
    assert len(error.splitlines()) == 1
    assert "gRPC" not in error
    assert "Detail" not in error


def test_a_process_logs_in_once(engine: Engine) -> None:
    before = tokens(engine)
    probed(engine, plain=False)
    assert tokens(engine) == before + 1


def tokens(engine: Engine) -> int:
    (store,) = [path for path in (engine.directory / "home").glob("*.db") if has_tokens(path)]
    with sqlite3.connect(store) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM tokens").fetchone()[0])


def has_tokens(path: Path) -> bool:
    with sqlite3.connect(path) as connection:
        return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tokens'").fetchone())


def test_functions_are_written_as_they_were(ours: dict[str, Any]) -> None:
    assert ours["written"] == {sql: sql for sql in AS_WRITTEN}
    changed = [sql for sql, written in ours["written_by_sqlglot"].items() if written != sql]
    assert changed, "sqlglot writes all of them as they are by now: is our dialect still needed?"


def test_the_driver_as_it_is_reads_what_has_no_timestamp(plain: dict[str, Any]) -> None:
    assert plain["dialect"] == "sqlalchemy_dremio.flight"
    assert plain["queries"]["dates"]["rows"][0] == ["datetime.date(2026, 1, 5)", "Decimal('1.50')"]
    assert plain["queries"]["dotted"]["rows"] == [["2"]]
    assert plain["catalogue"]["tables"] == ["probe", "probe_view"]
    assert "KeyError" in plain["queries"]["times"]["error"]


def test_the_driver_as_it_is_reads_timestamps_that_its_connection_asks_for(engine: Engine) -> None:
    queries = probed(engine, plain=True, options="&routing_tag=timestamps-ns")["queries"]
    assert queries["seen"]["rows"] == [["1", "Timestamp('2026-01-05 12:30:01.250000')"]]
    assert queries["nothing"]["rows"] == []
    # Nanoseconds end in 2262: told, and never another day in its place.
    assert "out of bounds" in queries["everything"]["error"]
