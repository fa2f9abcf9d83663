"""Syncs of a changing database that are killed at random, merged into bronze as they come."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import httpx
import tenacity

from lakehouse.errors import TransientError
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.layout import bronze_location
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import MergeResult, MergeSpec
from lakehouse.settings import Settings
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, Connection, processes_with

KILLS = int(os.environ.get("TEST_KILLS", "12"))


class Server(Protocol):
    """A database server that is restarted meanwhile."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


class Bronze:
    """The bronze tables of what a connection landed."""

    def __init__(self, server: AirbyteServer, connection: Connection, cursor: str) -> None:
        self.settings = Settings(home=server.lake.parent)
        self._source = connection.namespace
        self._cursor = cursor

    def merge(self, table: str) -> list[dict[str, Any]]:
        """Applies what is landed, and returns the table's rows by key."""
        spec = MergeSpec(
            identifier=("bronze", table),
            location=bronze_location(self.settings, self._source, table),
            source=self._source,
            stream=table,
            primary_key=("id",),
            mode="append",
            cursor_field=self._cursor,
        )
        if self._merged(spec).snapshot_id is None:
            return []
        rows = open_catalog(self.settings).load_table(spec.identifier).scan().to_arrow().to_pylist()
        return sorted(rows, key=lambda row: row["id"])

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(TransientError), stop=tenacity.stop_after_attempt(5)
    )
    def _merged(self, spec: MergeSpec) -> MergeResult:
        """As Dagster does it: again after an object has gone that a killed job had shown and not recorded."""
        return merge_table(spec, self.settings)


def kill_worker(server: AirbyteServer) -> None:
    for process in processes_with(f"airbyte.worker {server.home}".replace(" ", "\0")):
        os.kill(process, signal.SIGKILL)


def sync_while_killing(
    connection: Connection, database: Server, check: Callable[[], bool], *, kills: int = KILLS
) -> None:
    """Starts syncs and kills the worker or the server, -9; the database is killed once and restarted once.

    `check` looks at bronze meanwhile, and says whether it found anything there.
    """
    chance, found, server, seconds = random.Random(7), 0, connection.server, 2.0
    for kill in range(kills):
        if kill == kills // 4:  # until here snapshots were killed, from here on reads of the log
            wait_until_idle(connection)
            began = time.monotonic()
            connection.sync()
            seconds = time.monotonic() - began  # of a busy machine, maybe
        if kill == kills // 3:
            database.kill()
            database.start()
        elif kill == 2 * kills // 3:
            database.stop()
            database.start()
        wait_until_idle(connection)  # the server may not have noticed yet that the last worker is gone
        connection.start()
        time.sleep(chance.uniform(0.1, 1.2) * seconds)
        if chance.random() < 0.5:
            kill_worker(server)
        else:
            server.kill()
            server.start()
        if kill % 4 == 3:
            found += check()
    assert found > 1, "bronze was empty while syncs were killed"
    wait_until_idle(connection)


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


def assert_equal(
    in_bronze: Sequence[dict[str, Any]],
    in_source: Sequence[dict[str, Any]],
    plain: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Bronze has the source's rows, column for column; `plain` gives values as both sides can have them."""
    assert len(in_source) > 10
    columns = in_source[0].keys()
    assert [plain({name: row[name] for name in columns}) for row in in_bronze] == [
        plain(row) for row in in_source
    ]
