"""What was collected and is not yet everywhere: records on the disk, and how far every source was read.

Both change in one transaction, so a line is collected exactly once however the process ends. From here it goes to each
target in order, at least once; a target that has it all lets it go. The spool is one SQLite file.
"""

from __future__ import annotations

import gzip
import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lakehouse.errors import TransientError
from lakehouse.observability.logs.record import LogRecord

TARGETS = ("store", "archive")
_BUSY_SECONDS = 30.0
_COMPRESSION = 1  # each record is compressed once, here, and kept so in the lake
_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS position (source TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS part (
    number INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, day TEXT NOT NULL,
    records INTEGER NOT NULL, content BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS delivered (target TEXT PRIMARY KEY, through INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plan (target TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Collected:
    """Records of a source, and where it goes on after them: a state, or None to forget the position."""

    records: Sequence[LogRecord]
    positions: Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """Records of one service and one day (UTC), in the order they were collected."""

    number: int
    service: str
    day: str
    content: bytes
    """Gzip of JSON lines; such members one after the other are a gzip file too."""

    def records(self) -> list[LogRecord]:
        """The records again."""
        return [_DECODER.decode(line) for line in gzip.decompress(self.content).splitlines()]


_DECODER = msgspec.json.Decoder(LogRecord)
_ENCODER = msgspec.json.Encoder()


class Spool:
    """One process at a time collects and delivers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        with self._told():
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)
        with self._transaction():
            if not self._one("SELECT count(*) FROM identity"):
                self._database.execute("INSERT INTO identity VALUES (?)", [uuid.uuid4().hex[:12]])
            for target in TARGETS:
                self._database.execute("INSERT OR IGNORE INTO delivered VALUES (?, 0)", [target])
        self.id: str = self._one("SELECT id FROM identity")
        """Different for every spool: two that write into one lake do not meet."""

    def take(self, collected: Collected) -> None:
        """Keep the records and where the source goes on, both or neither."""
        parts: dict[tuple[str, str], list[LogRecord]] = defaultdict(list)
        for record in collected.records:
            parts[record.service, f"{record.timestamp:%Y-%m-%d}"].append(record)
        with self._transaction():
            for (service, day), records in parts.items():
                content = gzip.compress(_ENCODER.encode_lines(records), _COMPRESSION, mtime=0)
                self._database.execute(
                    "INSERT INTO part (service, day, records, content) VALUES (?, ?, ?, ?)",
                    [service, day, len(records), content],
                )
            for source, state in collected.positions.items():
                if state is None:
                    self._database.execute("DELETE FROM position WHERE source = ?", [source])
                else:
                    self._database.execute(
                        "INSERT OR REPLACE INTO position VALUES (?, ?)",
                        [source, msgspec.json.encode(state).decode()],
                    )

    def positions(self, prefix: str) -> dict[str, Any]:
        """How far each source was read whose name begins so."""
        with self._told():
            rows = self._database.execute(
                "SELECT source, state FROM position WHERE substr(source, 1, ?) = ?", [len(prefix), prefix]
            ).fetchall()
        return {source: msgspec.json.decode(state) for source, state in rows}

    def waiting(self, target: str, most_records: int) -> list[Part]:
        """The next parts for a target, of so many records or a little more."""
        found: list[Part] = []
        records = 0
        with self._told():
            rows = self._database.execute(
                "SELECT number, service, day, content, records FROM part WHERE number > ? ORDER BY number",
                [self.through(target)],
            )
            for number, service, day, content, count in rows:
                found.append(Part(number, service, day, content))
                records += count
                if records >= most_records:
                    break
        return found

    def planned(self, target: str, most_bytes: int) -> tuple[int, int] | None:
        """A range of parts to deliver as a whole: the same again until it is delivered. None when nothing waits."""
        with self._told():
            row = self._database.execute("SELECT first, last FROM plan WHERE target = ?", [target]).fetchone()
            if row is not None:
                return int(row[0]), int(row[1])
            first = last = size = 0
            rows = self._database.execute(
                "SELECT number, length(content) FROM part WHERE number > ? ORDER BY number",
                [self.through(target)],
            )
            for number, length in rows:
                first, last, size = first or number, number, size + length
                if size >= most_bytes:
                    break
        if not first:
            return None
        with self._transaction():
            self._database.execute("INSERT INTO plan VALUES (?, ?, ?)", [target, first, last])
        return first, last

    def parts(self, first: int, last: int, service: str, day: str) -> Iterator[Part]:
        """The parts of a range that are of one service and day."""
        with self._told():
            rows = self._database.execute(
                "SELECT number, service, day, content FROM part"
                " WHERE number BETWEEN ? AND ? AND service = ? AND day = ? ORDER BY number",
                [first, last, service, day],
            )
            for row in rows:
                yield Part(*row)

    def kinds(self, first: int, last: int) -> list[tuple[str, str]]:
        """The services and days of a range of parts."""
        with self._told():
            return self._database.execute(
                "SELECT DISTINCT service, day FROM part WHERE number BETWEEN ? AND ? ORDER BY 1, 2",
                [first, last],
            ).fetchall()

    def deliver(self, target: str, through: int) -> None:
        """A target has every part up to this number. What all have is let go."""
        with self._transaction():
            self._database.execute("UPDATE delivered SET through = ? WHERE target = ?", [through, target])
            self._database.execute("DELETE FROM plan WHERE target = ?", [target])
            everywhere = self._one("SELECT min(through) FROM delivered")
            self._database.execute("DELETE FROM part WHERE number <= ?", [everywhere])

    def through(self, target: str) -> int:
        """The number of the newest part that a target has."""
        with self._told():
            return int(
                self._database.execute("SELECT through FROM delivered WHERE target = ?", [target]).fetchone()[
                    0
                ]
            )

    def size(self, target: str) -> tuple[int, int]:
        """How many records wait for a target, and the bytes they take here."""
        with self._told():
            row = self._database.execute(
                "SELECT coalesce(sum(records), 0), coalesce(sum(length(content)), 0) FROM part WHERE number > ?",
                [self.through(target)],
            ).fetchone()
        return int(row[0]), int(row[1])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _one(self, statement: str) -> Any:
        with self._told():
            return self._database.execute(statement).fetchone()[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._told():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise TransientError(f"cannot be used: {error}", where=f"log spool {self.path}") from error
