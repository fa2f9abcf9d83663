"""The log store in one SQLite file, with its full-text index FTS5."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any

from lakehouse.errors import ConfigurationError, TransientError
from lakehouse.observability.logs import sqlite_count
from lakehouse.observability.logs.query import LogQuery, Page
from lakehouse.observability.logs.record import KEYWORDS, LogRecord
from lakehouse.observability.logs.sqlite_match import bounds, expression
from lakehouse.observability.logs.sqlite_schema import (
    COLUMNS,
    as_record,
    as_row,
    connected,
    field_tokens,
    first_row,
    row_of,
)
from lakehouse.observability.logs.store import Capabilities, checked_field, checked_limit

_INSERT = f"INSERT OR IGNORE INTO log VALUES ({', '.join('?' * (len(COLUMNS) + 1))})"  # noqa: S608  no values
_INDEX = "INSERT INTO words (rowid, message, fields) VALUES (?, ?, ?)"
_FORGET = "INSERT INTO words (words, rowid, message, fields) VALUES ('delete', ?, ?, ?)"
_SELECT = f"log.rowid, {', '.join(f'log.{name}' for name in COLUMNS)}"
_REMOVED_AT_ONCE = 5000
_KEYWORDS_OF = attrgetter(*KEYWORDS)

_Rows = dict[int, tuple[bytes, LogRecord]]


class SqliteLogStore:
    """One writer at a time, any number of readers; usable from several threads."""

    capabilities = Capabilities("sqlite", found_at_once=True, expires_by_itself=False)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def add(self, records: Sequence[LogRecord]) -> list[str]:
        """Keep these records in one transaction that is on the disk at the end; refuses none."""
        with self._writing() as database:
            # Nearly always all are new; whatever is not new makes it look at each.
            rows = _placed(records, {})
            before = database.total_changes
            database.execute("SAVEPOINT added")
            _insert(database, rows)
            if database.total_changes - before != len(rows) or len(rows) != len(records):
                database.execute("ROLLBACK TO added")
                rows = _placed(records, _Kept(database))
                _insert(database, rows)
            database.execute("RELEASE added")
            _index(database, rows)
        return []

    def search(self, query: LogQuery, *, limit: int = 50, page: str | None = None) -> Page:
        """The newest records that fit, from the newest on."""
        limit = checked_limit(limit)
        match, (low, high) = expression(query), bounds(query)
        if page is not None:
            high = min(high, _row_number(page))
        table = "words JOIN log ON log.rowid = words.rowid" if match else "log"
        key = "words.rowid" if match else "log.rowid"
        where = f"{key} >= ? AND {key} < ?" + (" AND words MATCH ?" if match else "")
        values = [low, high, *([match] if match else []), limit + 1]
        with self._reading() as database:
            rows = database.execute(
                f"SELECT {_SELECT} FROM {table} WHERE {where} ORDER BY {key} DESC LIMIT ?",  # noqa: S608  no values
                values,
            ).fetchall()
        more = str(rows[limit - 1][0]) if len(rows) > limit else None
        return Page([as_record(row) for row in rows[:limit]], more)

    def count(self, query: LogQuery, by: str) -> dict[str, int]:
        """How many records fit by each value of a field."""
        checked_field(by)
        with self._reading() as database:
            return sqlite_count.count(database, query, by)

    def count_before(self, day: date) -> int:
        """How many records are of days before this one."""
        with self._reading() as database:
            found = database.execute("SELECT count(*) FROM log WHERE rowid < ?", [first_row(day)]).fetchone()
            return int(found[0])

    def remove_before(self, day: date) -> int:
        """Remove them in small transactions, so that whoever adds need not wait long."""
        names = ", ".join(KEYWORDS)
        removed = 0
        while True:
            with self._writing() as database:
                rows = database.execute(
                    f"SELECT rowid, message, {names} FROM log WHERE rowid < ? ORDER BY rowid LIMIT ?",  # noqa: S608
                    [first_row(day), _REMOVED_AT_ONCE],
                ).fetchall()
                if not rows:
                    return removed
                gone = [(rowid, message, field_tokens(values)) for rowid, message, *values in rows]
                database.executemany(_FORGET, gone)
                database.execute("DELETE FROM log WHERE rowid <= ?", [rows[-1][0]])
            removed += len(rows)

    def close(self) -> None:
        """Close the writer's connection."""
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _told(self.path), closing(connected(self.path, writing=False)) as database:
            yield database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it, or nothing when it fails."""
        with self._lock, _told(self.path):
            if self._writer is None:
                self._writer = connected(self.path, writing=True)
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")


class _Kept(dict[int, bytes]):
    """Which ids rows of the database have, asked for when they are needed."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def get(self, rowid: int, otherwise: Any = None) -> Any:
        found = self._database.execute("SELECT id FROM log WHERE rowid = ?", [rowid]).fetchone()
        return found[0] if found else otherwise


def _placed(records: Sequence[LogRecord], kept: dict[int, bytes]) -> _Rows:
    """A row for every record that is not kept yet: its own, or the next that no other record has."""
    rows: _Rows = {}
    for record in records:
        id_ = bytes.fromhex(record.id)
        rowid = row_of(record, id_)
        while (there := rows[rowid][0] if rowid in rows else kept.get(rowid)) is not None and there != id_:
            rowid += 1
        if there is None:
            rows[rowid] = (id_, record)
    return rows


def _insert(database: sqlite3.Connection, rows: _Rows) -> None:
    # In order: the full-text index writes out what it has whenever a smaller row follows.
    database.executemany(_INSERT, (as_row(rowid, *rows[rowid]) for rowid in sorted(rows)))


def _index(database: sqlite3.Connection, rows: _Rows) -> None:
    database.executemany(
        _INDEX,
        (
            (rowid, rows[rowid][1].message, field_tokens(_KEYWORDS_OF(rows[rowid][1])))
            for rowid in sorted(rows)
        ),
    )


def _row_number(page: str) -> int:
    if not page.isascii() or not page.isdigit():
        raise ConfigurationError(f"is no page of this store: {page!r}", where="log search")
    return int(page)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise TransientError(f"cannot be used: {error}", where=f"log store {path}") from error
