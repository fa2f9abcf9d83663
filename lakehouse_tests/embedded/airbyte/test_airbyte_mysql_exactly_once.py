"""Nothing lost, nothing twice: syncs of a changing MariaDB that are killed at random, merged into bronze.

`LAKEHOUSE_TEST_KILLS=100 pytest lakehouse_tests/embedded/airbyte/test_airbyte_mysql_exactly_once.py` kills more often.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.layout import bronze_location
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import MergeSpec
from lakehouse.settings import Settings
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, Connection, processes_with
from lakehouse_tests.embedded.airbyte.mariadb import MariaDb, MariaDbServer
from lakehouse_tests.embedded.airbyte.mysql_writer import ACCOUNTS, BALANCE

KILLS = int(os.environ.get("LAKEHOUSE_TEST_KILLS", "12"))
SCHEMA = (
    "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, at datetime(6))",
    "CREATE TABLE notes (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL, wide mediumtext,"
    " amount decimal(12, 2) NOT NULL DEFAULT 0, flag tinyint(1))",
    f"INSERT INTO accounts SELECT seq, {BALANCE}, now(6) FROM seq_0_to_{ACCOUNTS - 1}",
    "INSERT INTO notes (name, wide) SELECT concat('n', seq), repeat('w', 9000) FROM seq_1_to_500",
)


@pytest.fixture
def shop(mariadb_of_its_own: MariaDbServer) -> MariaDb:
    MariaDb(mariadb_of_its_own, "mysql").execute("CREATE DATABASE shop")
    database = MariaDb(mariadb_of_its_own, "shop")
    database.execute(*SCHEMA)
    return database


@pytest.fixture
def writer(shop: MariaDb) -> Iterator[subprocess.Popen[bytes]]:
    program = Path(__file__).with_name("mysql_writer.py")
    socket = str(shop.server.folder / "socket")
    process = subprocess.Popen([sys.executable, str(program), socket, "shop", "1"])
    yield process
    process.kill()
    process.wait()


class Bronze:
    """The bronze tables of what a connection landed."""

    def __init__(self, server: AirbyteServer, connection: Connection) -> None:
        self.settings = Settings(home=server.lake.parent)
        self._source = connection.namespace

    def merge(self, table: str) -> list[dict[str, Any]]:
        """Applies what is landed, and returns the table's rows by key."""
        spec = MergeSpec(
            identifier=("bronze", table),
            location=bronze_location(self.settings, self._source, table),
            source=self._source,
            stream=table,
            primary_key=("id",),
            mode="append",
            cursor_field="_ab_cdc_cursor",
        )
        if merge_table(spec, self.settings).snapshot_id is None:
            return []
        rows = open_catalog(self.settings).load_table(spec.identifier).scan().to_arrow().to_pylist()
        return sorted(rows, key=lambda row: row["id"])


def kill_worker(server: AirbyteServer) -> None:
    for process in processes_with(f"airbyte.worker {server.home}".replace(" ", "\0")):
        os.kill(process, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(120 + 10 * KILLS)
def test_killed_syncs_of_a_changing_database_lose_nothing_and_repeat_nothing(
    shop: MariaDb, writer: subprocess.Popen[bytes], airbyte_of_its_own: Any
) -> None:
    chance = random.Random(7)
    server: AirbyteServer = airbyte_of_its_own()
    streams = [
        {"name": name, "syncMode": "incremental_append", "cursorField": ["_ab_cdc_cursor"]}
        for name in ("accounts", "notes")
    ]
    connection = server.connect(shop.cdc(), "mysql", streams)
    bronze = Bronze(server, connection)
    found = 0
    for kill in range(KILLS):
        if kill == KILLS // 3:
            shop.server.kill()
            shop.server.start()
        elif kill == 2 * KILLS // 3:
            shop.server.stop()
            shop.server.start()
        wait_until_idle(connection)  # the server may not have noticed yet that the last worker is gone
        connection.start()
        time.sleep(chance.uniform(0.2, 2.2))
        if chance.random() < 0.5:
            kill_worker(server)
        else:
            server.kill()
            server.start()
        if kill % 4 == 3:
            accounts = bronze.merge("accounts")
            found += len(accounts) > 0
            assert sum(row["balance"] for row in accounts) in (0, ACCOUNTS * BALANCE), "a split transaction"
    writer.kill()
    writer.wait()
    assert found, "no sync came to a commit before the last"
    wait_until_idle(connection)
    connection.sync()
    for table in ("accounts", "notes"):
        in_bronze = bronze.merge(table)
        columns = [row[0] for row in shop.rows(f"DESCRIBE {table}")]
        in_source = [
            dict(zip(columns, row, strict=True)) for row in shop.rows(f"SELECT * FROM {table} ORDER BY id")
        ]
        assert len(in_source) > 10
        assert [plain({name: row[name] for name in columns}) for row in in_bronze] == [
            plain(row) for row in in_source
        ]
    assert sum(row["balance"] for row in bronze.merge("accounts")) == ACCOUNTS * BALANCE


def wait_until_idle(connection: Connection) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        parameters = {"connectionId": connection.id, "limit": 1}
        jobs = httpx.get(
            f"{connection.server.public}/jobs", params=parameters, auth=connection.server.client.auth
        ).json()["data"]
        if not any(job["status"] in ("pending", "running", "incomplete") for job in jobs):
            return
        time.sleep(0.1)


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Values as both sides can have them."""
    return {
        name: float(value) if name == "amount" else value.replace(tzinfo=None) if name == "at" else
        bool(value) if name == "flag" and value is not None else value
        for name, value in row.items()
    }  # fmt: skip
