"""Statements that change tables, against what they must leave; killed and restarted engines."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_tests.engine import Engine, running_engine

pytestmark = pytest.mark.slow


@pytest.fixture
def table(engine: Engine, request: pytest.FixtureRequest) -> str:
    name = f"lake.silver.{request.node.name.split('[')[0]}"
    engine.rows(
        f"CREATE TABLE {name} PARTITION BY (day) AS SELECT * FROM (VALUES "
        "(1, DATE '2025-01-01', 1.5), (2, DATE '2025-01-01', 2.5), (3, DATE '2025-01-02', NULL), (4, NULL, 4.5)"
        ") AS t(id, day, amount)"
    )
    return name


def files(engine: Engine, table: str) -> set[str]:
    catalog = SqlCatalog(
        "lake", uri=f"sqlite:///{engine.directory}/catalog.db", warehouse=f"file://{engine.directory}/lake"
    )
    loaded = catalog.load_table(tuple(table.split(".")[1:]))
    return {task.file.file_path for task in loaded.scan().plan_files()}


def test_created_tables_are_where_the_layout_says(engine: Engine, table: str) -> None:
    assert engine.rows(f"SELECT id FROM {table} ORDER BY id") == [(1,), (2,), (3,), (4,)]
    folder = f"file://{engine.directory}/lake/silver/{table.rpartition('.')[2]}/data/"
    assert all(path.startswith(folder) for path in files(engine, table))
    assert len(files(engine, table)) == 3


def test_partitions_of_any_value_are_read_back(engine: Engine) -> None:
    values = [("a b:c/d%41?#*",), ("ü",), ("",)]
    listed = ", ".join(f"('{value}')" for (value,) in values)
    engine.rows(
        f"CREATE TABLE lake.silver.odd_values PARTITION BY (v) AS SELECT * FROM (VALUES {listed}) AS t(v)"
    )
    assert engine.rows("SELECT v FROM lake.silver.odd_values ORDER BY v") == sorted(values)
    engine.rows("DELETE FROM lake.silver.odd_values WHERE v = ''")
    assert engine.rows("SELECT count(*) FROM lake.silver.odd_values") == [(2,)]


def test_insert_by_name_fills_missing_columns_with_null(engine: Engine, table: str) -> None:
    assert engine.rows(f"INSERT INTO {table} (day, id) SELECT DATE '2025-01-03', 9") == [(1,)]
    assert engine.rows(f"SELECT day, amount FROM {table} WHERE id = 9") == [("2025-01-03", None)]


def test_deleting_whole_days_drops_their_files_only(engine: Engine, table: str) -> None:
    before = files(engine, table)
    assert engine.rows(f"DELETE FROM {table} WHERE day >= DATE '2025-01-01' AND day < DATE '2025-01-02'") == [
        (2,)
    ]
    after = files(engine, table)
    assert after < before
    assert len(before - after) == 1
    assert engine.rows(f"SELECT id FROM {table} ORDER BY id") == [(3,), (4,)]


def test_deleting_some_rows_rewrites_their_files_only(engine: Engine, table: str) -> None:
    before = files(engine, table)
    assert engine.rows(f"DELETE FROM {table} WHERE id = 1") == [(1,)]
    assert len(before & files(engine, table)) == 2
    assert engine.rows(f"DELETE FROM {table} WHERE amount > 100 OR id = 2") == [(1,)]
    assert engine.rows(f"SELECT id FROM {table} ORDER BY id") == [(3,), (4,)]


def test_deleting_listed_values_leaves_other_files_alone(engine: Engine, table: str) -> None:
    before = files(engine, table)
    days = ", ".join(f"DATE '{day}'" for day in ("2025-01-01", "2024-12-31"))
    window = "day >= DATE '2024-12-31' AND day < DATE '2025-01-03'"
    assert engine.rows(f"DELETE FROM {table} WHERE {window} AND day IN ({days})") == [(2,)]
    assert len(before - files(engine, table)) == 1
    assert files(engine, table) < before
    assert engine.rows(f"DELETE FROM {table} WHERE id IN (4, 5)") == [(1,)]  # its day is NULL
    assert engine.rows(f"SELECT id FROM {table} ORDER BY id") == [(3,)]


def test_update_keeps_rows_its_predicate_is_null_for(engine: Engine, table: str) -> None:
    assert engine.rows(f"UPDATE {table} SET amount = amount * 2 WHERE amount > 2") == [(2,)]
    assert engine.rows(f"SELECT amount FROM {table} ORDER BY id") == [("1.5",), ("5.0",), (None,), ("9.0",)]


def test_merge_updates_and_inserts(engine: Engine, table: str) -> None:
    merge = (
        f"MERGE INTO {table} AS d USING (SELECT 1 AS id, 8.5 AS amount UNION ALL SELECT 7, 7.5) AS s ON (d.id = s.id) "
        "WHEN MATCHED THEN UPDATE SET amount = s.amount WHEN NOT MATCHED THEN INSERT (id, amount) VALUES (s.id, s.amount)"
    )
    assert engine.rows(merge) == [(2,)]
    assert engine.rows(f"SELECT id, amount FROM {table} WHERE id IN (1, 2, 7) ORDER BY id") == [
        (1, "8.5"),
        (2, "2.5"),
        (7, "7.5"),
    ]
    assert "matched by several source rows" in engine.error(
        f"MERGE INTO {table} AS d USING (SELECT 1 AS id UNION ALL SELECT 1) AS s ON (d.id = s.id) "
        "WHEN MATCHED THEN UPDATE SET amount = 0"
    )


def test_time_travel_reads_an_old_snapshot(engine: Engine, table: str) -> None:
    path = '"' + '"."'.join(table.split(".")) + '"'
    snapshot = engine.rows(f"SELECT snapshot_id FROM TABLE(table_snapshot('{path}'))")[0][0]
    engine.rows(f"DELETE FROM {table} WHERE id = 1")
    assert engine.rows(f"SELECT COUNT(*) FROM {table}") == [(3,)]
    assert engine.rows(f"SELECT COUNT(*) FROM {table} AT SNAPSHOT '{snapshot}'") == [(4,)]
    assert "has no snapshot 1" in engine.error(f"SELECT * FROM {table} AT SNAPSHOT '1'")


def test_columns_come_and_go(engine: Engine, table: str) -> None:
    engine.rows(f"ALTER TABLE {table} ADD COLUMNS (note VARCHAR)")
    engine.rows(f"INSERT INTO {table} (id, note) VALUES (5, 'x')")
    engine.rows(f"ALTER TABLE {table} DROP COLUMN amount")
    assert engine.rows(f"SELECT * FROM {table} WHERE id IN (1, 5) ORDER BY id") == [
        (1, "2025-01-01", None),
        (5, None, "x"),
    ]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM lake.gold.nowhere", "Object 'lake.gold.nowhere' not found"),
        ("CREATE TABLE lake.nofolder.t AS SELECT 1 AS x", "no folder lake.nofolder"),
        ("CREATE TABLE elsewhere.t AS SELECT 1 AS x", "tables live in folders of an SQLCATALOG source"),
        ("DROP TABLE lake.gold.nowhere", "no table lake.gold.nowhere"),
        ("VACUUM CATALOG lake", "VACUUM CATALOG is not supported by the local engine"),
        ("SELECT CAST('x' AS INT)", "not a whole number for INT: x"),
    ],
)
def test_refusals_name_the_place(engine: Engine, sql: str, message: str) -> None:
    found = engine.error(sql)
    assert message in found
    assert "\n" not in found


def test_what_is_there_survives_a_restart(tmp_path: Path) -> None:
    with running_engine(tmp_path) as engine:
        engine.rows("CREATE TABLE lake.gold.t AS SELECT 1 AS x")
        engine.rows("CREATE VIEW lake.gold.v AS SELECT x + 1 AS y FROM lake.gold.t")
        engine.stop()
        engine.start()
        assert engine.rows("SELECT y FROM lake.gold.v") == [(2,)]


def test_a_table_whose_making_is_killed_is_absent_or_whole(tmp_path: Path) -> None:
    digits = "(SELECT x FROM (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) AS v(x))"
    rows = ", ".join(f"{digits} AS t{index}" for index in range(6))
    create = f"CREATE TABLE lake.gold.big AS SELECT t0.x AS a, t1.x AS b, t2.x AS c FROM {rows}"
    with running_engine(tmp_path) as engine:
        for pause in (0.05, 0.3, 0.6):
            engine.rows("DROP TABLE IF EXISTS lake.gold.big")
            started = threading.Event()

            def submit(started: threading.Event = started) -> None:
                engine.post("/api/v3/sql", {"sql": create})
                started.set()

            thread = threading.Thread(target=submit)
            thread.start()
            started.wait(10)
            time.sleep(pause)
            engine.stop(signal.SIGKILL)
            thread.join()
            engine.start()
            tables = engine.rows(
                "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.\"TABLES\" WHERE TABLE_NAME = 'big'"
            )
            if tables:
                assert engine.rows("SELECT COUNT(*) FROM lake.gold.big") == [(1_000_000,)]
        engine.rows("DROP TABLE IF EXISTS lake.gold.big")
        assert engine.rows(create) == [(1_000_000,)]
