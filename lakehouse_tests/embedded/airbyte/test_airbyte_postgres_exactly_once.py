"""Nothing lost, nothing twice: syncs of a changing Postgres that are killed at random, merged into bronze.

`TEST_KILLS=100 pytest lakehouse_tests/embedded/airbyte/test_airbyte_postgres_exactly_once.py` kills more.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse_tests.embedded.airbyte.exactly_once import KILLS, Bronze, assert_equal, sync_while_killing
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, Database, PostgresServer
from lakehouse_tests.embedded.airbyte.postgres_writer import ACCOUNTS, BALANCE

SCHEMA = (
    "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, at timestamptz)",
    "CREATE TABLE notes (id bigserial PRIMARY KEY, name text NOT NULL, wide text,"
    " amount numeric(12, 2) NOT NULL DEFAULT 0, flag boolean DEFAULT false)",
    "ALTER TABLE notes ALTER wide SET STORAGE EXTERNAL",
    f"INSERT INTO accounts SELECT i, {BALANCE}, now() FROM generate_series(0, {ACCOUNTS - 1}) i",
    "INSERT INTO notes (name, wide) SELECT 'n' || i, repeat('w', 9000) FROM generate_series(1, 500) i",
)


@pytest.fixture
def shop(postgres_of_its_own: PostgresServer) -> Database:
    Database(postgres_of_its_own.port, "postgres").execute("CREATE DATABASE shop")
    database = Database(postgres_of_its_own.port, "shop")
    database.execute(*SCHEMA)
    return database


@pytest.fixture
def writer(shop: Database) -> Iterator[subprocess.Popen[bytes]]:
    program = Path(__file__).with_name("postgres_writer.py")
    process = subprocess.Popen([sys.executable, str(program), str(shop.port), "shop", "1"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
@pytest.mark.timeout(120 + 10 * KILLS)
def test_killed_syncs_of_a_changing_database_lose_nothing_and_repeat_nothing(
    postgres_of_its_own: PostgresServer,
    shop: Database,
    writer: subprocess.Popen[bytes],
    airbyte_of_its_own: Any,
) -> None:
    server: AirbyteServer = airbyte_of_its_own()
    streams = [
        {"name": name, "syncMode": "incremental_append", "cursorField": ["_ab_cdc_lsn"]}
        for name in ("accounts", "notes")
    ]
    connection = server.connect(shop.cdc(), "postgres", streams)
    bronze = Bronze(server, connection, "_ab_cdc_lsn")

    def no_split_transaction() -> bool:
        accounts = bronze.merge("accounts")
        assert sum(row["balance"] for row in accounts) in (0, ACCOUNTS * BALANCE)
        return len(accounts) > 0

    sync_while_killing(connection, postgres_of_its_own, no_split_transaction)
    writer.kill()
    writer.wait()
    connection.sync()
    for table in ("accounts", "notes"):
        described = f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0"
        columns = [row[0] for row in shop.rows(f"{described} ORDER BY attnum")]
        rows = shop.rows(f"SELECT * FROM {table} ORDER BY id")
        assert_equal(bronze.merge(table), [dict(zip(columns, row, strict=True)) for row in rows], plain)
    assert sum(row["balance"] for row in bronze.merge("accounts")) == ACCOUNTS * BALANCE


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Values as both sides can have them."""
    return {name: float(value) if name == "amount" else value for name, value in row.items()}
