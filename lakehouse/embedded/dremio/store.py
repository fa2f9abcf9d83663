"""The engine's state in one SQLite file: catalogue entities, wiki and tags, tokens, reflections, job history."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entities (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL UNIQUE, display TEXT NOT NULL,
  body TEXT NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS collaboration (
  entity_id TEXT NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (entity_id, kind));
CREATE TABLE IF NOT EXISTS tokens (hash TEXT PRIMARY KEY, user TEXT NOT NULL, expires_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS reflections (id TEXT PRIMARY KEY, dataset TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, user TEXT NOT NULL, sql TEXT NOT NULL, state TEXT NOT NULL, client TEXT NOT NULL,
  started_at INTEGER NOT NULL, ended_at INTEGER, row_count INTEGER, error TEXT, profile TEXT);
CREATE INDEX IF NOT EXISTS jobs_by_start ON jobs (started_at);
"""


class Store:
    """One connection a thread; WAL, so that readers never wait for the one writer."""

    def __init__(self, home: Path) -> None:
        self._path = home / "dremio.db"
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._local = threading.local()
        self._connection().executescript(_SCHEMA)

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction; rolled back when the block raises."""
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def rows(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self._connection().execute(sql, parameters).fetchall()

    def row(self, sql: str, *parameters: Any) -> sqlite3.Row | None:
        """The first row of a query, None when there is none."""
        found: sqlite3.Row | None = self._connection().execute(sql, parameters).fetchone()
        return found

    def write(self, sql: str, *parameters: Any) -> None:
        """One writing statement."""
        with self.transaction() as connection:
            connection.execute(sql, parameters)


def to_json(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"))
