"""All that must survive a kill: one SQLite file in the server's home, WAL mode, every commit synced."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.schema import SCHEMA

_JSON_COLUMNS = ("configuration", "catalog", "state", "failure")

Row = dict[str, Any]
Condition = tuple[str, Any]  # SQL with one placeholder, and its value


class JobEndedError(Exception):
    """The job was cancelled, timed out or given up by a restarted server: nothing more may be committed."""


class Store:
    """The server's database. One object per thread and process; SQLite arbitrates between them."""

    def __init__(self, home: Path) -> None:
        self.path = home / "airbyte.db"
        created = not self.path.exists()
        self._connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        if created:
            os.chmod(self.path, 0o600)  # it holds passwords of sources
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")

    def create_schema(self) -> None:
        """Creates the tables that are missing."""
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside happen or none; takes the write lock at once."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """All rows of a query, JSON columns decoded."""
        return [_decoded(row) for row in self._connection.execute(sql, parameters)]

    def row(self, sql: str, *parameters: Any) -> Row | None:
        """The first row of a query, or None."""
        found = self._connection.execute(sql, parameters).fetchone()
        return None if found is None else _decoded(found)

    def page(
        self, table: str, conditions: Sequence[Condition], order: str, limit: int, offset: int
    ) -> list[Row]:
        """Rows that meet every condition, in order: `limit` of them, and one more if there is one."""
        where = " AND ".join(sql for sql, _ in conditions) or "1"
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - literals
        return self.rows(sql, *(value for _, value in conditions), limit + 1, offset)

    def count(self, table: str, conditions: Sequence[Condition]) -> int:
        """How many rows meet every condition."""
        where = " AND ".join(sql for sql, _ in conditions) or "1"
        sql = f"SELECT count(*) AS n FROM {table} WHERE {where}"  # noqa: S608 - literals
        return int(self.rows(sql, *(value for _, value in conditions))[0]["n"])

    def execute(self, sql: str, *parameters: Any) -> int:
        """Runs a statement and returns how many rows it changed."""
        return self._connection.execute(sql, parameters).rowcount

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Inserts one row (JSON columns encoded) and returns its rowid."""
        encoded = {name: _encoded(name, value) for name, value in values.items()}
        marks = ", ".join("?" * len(encoded))
        sql = f"INSERT INTO {table} ({', '.join(encoded)}) VALUES ({marks})"  # noqa: S608 - names are literals
        return self._connection.execute(sql, tuple(encoded.values())).lastrowid or 0

    def update(self, table: str, key: str | int, values: Mapping[str, Any]) -> None:
        """Updates the row whose `id` is `key`."""
        encoded = {name: _encoded(name, value) for name, value in values.items()}
        sets = ", ".join(f"{name} = ?" for name in encoded)
        sql = f"UPDATE {table} SET {sets} WHERE id = ?"  # noqa: S608 - names are literals
        self._connection.execute(sql, (*encoded.values(), key))

    def job(self, job_id: int) -> Row | None:
        """A job by id."""
        return self.row("SELECT * FROM jobs WHERE id = ?", job_id)

    def end_job(self, job_id: int, status: str, failure: Mapping[str, Any] | None = None) -> bool:
        """Moves an active job to a final status; false when it was final already."""
        now = epoch_ms()
        changed = self.execute(
            "UPDATE jobs SET status = ?, failure = ?, ended_at = ?, updated_at = ?"
            " WHERE id = ? AND status IN ('pending', 'running', 'incomplete')",
            status, None if failure is None else json.dumps(failure), now, now, job_id,
        )  # fmt: skip
        return changed > 0

    def require_running(self, job_id: int) -> None:
        """Raise JobEndedError unless the job may still commit; call it in the transaction that commits."""
        sql = "UPDATE jobs SET updated_at = ? WHERE id = ? AND status = 'running'"
        if self.execute(sql, epoch_ms(), job_id) == 0:
            raise JobEndedError(f"job {job_id} is not running any more")

    def stream(self, connection_id: str, namespace: str, name: str) -> Row:
        """Generation and state of a stream of a connection."""
        sql = (
            "SELECT generation_id, state FROM streams WHERE connection_id = ? AND namespace = ? AND name = ?"
        )
        return self.row(sql, connection_id, namespace, name) or {"generation_id": 0, "state": None}

    def next_generation(self, connection_id: str, namespace: str, name: str, *, new: bool) -> Row:
        """Generation and state of a stream for a sync that starts now; a full read begins a generation."""
        with self.transaction():
            self.execute(
                "INSERT OR IGNORE INTO streams (connection_id, namespace, name) VALUES (?, ?, ?)",
                connection_id, namespace, name,
            )  # fmt: skip
            if new:
                self.execute(
                    "UPDATE streams SET generation_id = generation_id + 1"
                    " WHERE connection_id = ? AND namespace = ? AND name = ?",
                    connection_id, namespace, name,
                )  # fmt: skip
        return self.stream(connection_id, namespace, name)

    def set_state(self, connection_id: str, namespace: str, name: str, state: Mapping[str, Any]) -> None:
        """Stores the state a stream has reached; call it inside the transaction that commits its files."""
        self.execute(
            "UPDATE streams SET state = ? WHERE connection_id = ? AND namespace = ? AND name = ?",
            json.dumps(state), connection_id, namespace, name,
        )  # fmt: skip

    def log_state(self, connection_id: str) -> Any:
        """The GLOBAL state of a log-based connection as the protocol writes it, or None."""
        row = self.row("SELECT state FROM log_states WHERE connection_id = ?", connection_id)
        return None if row is None else row["state"]

    def set_log_state(self, connection_id: str, state: Mapping[str, Any] | None) -> None:
        """Stores or forgets the GLOBAL state; call it inside the transaction that commits its files."""
        if state is None:
            self.execute("DELETE FROM log_states WHERE connection_id = ?", connection_id)
            return
        self.execute(
            "INSERT INTO log_states (connection_id, state) VALUES (?, ?)"
            " ON CONFLICT (connection_id) DO UPDATE SET state = excluded.state",
            connection_id, json.dumps(state),
        )  # fmt: skip

    def uncommitted_files(self, job_id: int) -> list[str]:
        """Keys a job intended and never committed."""
        sql = "SELECT key FROM landing_files WHERE job_id = ? AND committed = 0"
        return [row["key"] for row in self.rows(sql, job_id)]


def new_id() -> str:
    """A fresh id, as Airbyte makes them."""
    return str(uuid.uuid4())


def _encoded(name: str, value: Any) -> Any:
    return json.dumps(value) if name in _JSON_COLUMNS and value is not None else value


def _decoded(row: sqlite3.Row) -> Row:
    values = dict(row)
    for name in _JSON_COLUMNS:
        if values.get(name) is not None:
            values[name] = json.loads(values[name])
    return values
