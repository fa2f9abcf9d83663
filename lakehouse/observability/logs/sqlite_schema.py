"""The tables of the log store in SQLite, and how a record is laid out in them.

`log` holds the records. Its rowid is the time, then eight bits of the source, then twelve of the line's number: so
rows are in the order of time without an index for it, and a record that comes again meets its own row. `words` is the
full-text index by that rowid; beside the message it holds every keyword field as one token, so that a search by words
and fields is one walk over sorted lists, from the newest on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from lakehouse.observability.logs.record import EPOCH, KEYWORDS, MILLISECOND, LogRecord, milliseconds

_BITS = 20
BUSY_SECONDS = 30.0
_CACHE_KIB = 16_384

COLUMNS = ("id", "level", "service", "message", *KEYWORDS[2:], "records_synced", "bytes_synced")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    rowid INTEGER PRIMARY KEY, id BLOB NOT NULL, level TEXT NOT NULL, service TEXT NOT NULL, message TEXT NOT NULL,
    job_id TEXT, connection_id TEXT, run_id TEXT, asset TEXT, partition TEXT,
    records_synced INTEGER, bytes_synced INTEGER
);
CREATE INDEX IF NOT EXISTS log_level_service ON log (level, service);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (message, fields, content='', columnsize=0);
"""


def connected(path: Path, *, writing: bool) -> sqlite3.Connection:
    """The database, made if it is missing. A writer keeps more of it in memory."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'words'").fetchone():
        database.execute("PRAGMA page_size = 8192")
        database.execute("PRAGMA journal_mode = WAL")
        for statement in _SCHEMA.split(";"):
            database.execute(statement)
    # Each transaction is a whole batch, so waiting for the disk at its end costs little.
    database.execute("PRAGMA synchronous = FULL")
    if writing:
        database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        database.execute("PRAGMA wal_autocheckpoint = 2000")
    return database


def first_row(bound: datetime | date) -> int:
    """The smallest rowid that a record of this moment can have."""
    if not isinstance(bound, datetime):
        bound = datetime(bound.year, bound.month, bound.day, tzinfo=UTC)
    return milliseconds(bound) << _BITS


def row_of(record: LogRecord, id_: bytes) -> int:
    """Where the record belongs; when another is there, in the next row that is free."""
    return milliseconds(record.timestamp) << _BITS | id_[0] << 12 | int.from_bytes(id_[-2:]) & 0xFFF


@lru_cache(maxsize=4096)
def token(field: str, value: str) -> str:
    """A value of a field as one word of letters and digits."""
    return f"{KEYWORDS.index(field)}x{value.encode().hex()}"


def field_tokens(values: Sequence[str | None]) -> str:
    """What `words` holds of the keyword fields, given in the order of KEYWORDS."""
    return " ".join([token(name, value) for name, value in zip(KEYWORDS, values, strict=True) if value])


def as_row(rowid: int, id_: bytes, record: LogRecord) -> tuple[Any, ...]:
    """The values of `log`."""
    return (
        rowid, id_, record.level, record.service, record.message, record.job_id, record.connection_id,
        record.run_id, record.asset, record.partition, record.records_synced, record.bytes_synced,
    )  # fmt: skip


def as_record(row: tuple[Any, ...]) -> LogRecord:
    """The record of a row of `log`."""
    rowid, id_, *values = row
    moment = EPOCH + (rowid >> _BITS) * MILLISECOND
    return LogRecord(id=id_.hex(), timestamp=moment, **dict(zip(COLUMNS[1:], values, strict=True)))
