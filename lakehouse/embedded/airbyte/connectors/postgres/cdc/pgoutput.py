"""pgoutput, protocol version 1, as logical decoding hands it over.

Source: PostgreSQL documentation, "Logical Replication Message Formats".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Final

BEGIN, COMMIT, RELATION, TRUNCATE = b"BCRT"
INSERT, UPDATE, DELETE = b"IUD"
_NULL, _UNCHANGED, _TEXT = b"nut"
_NEW, _FULL = b"NO"
_IDENTIFIES = 1  # a column's flag

_BEGIN = Struct(">QqI")
_COMMIT = Struct(">BQQq")
_U16, _U32 = Struct(">H"), Struct(">I")
_COLUMN_TYPE = Struct(">Ii")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class _Unchanged:
    """The value of an out-of-line column that an update left alone: the log does not repeat it."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = _Unchanged()
Value = bytes | None | _Unchanged
"""A column's text in the database's output format, NULL, or not repeated."""


@dataclass(frozen=True)
class RelationColumn:
    """A column as the log describes it."""

    name: str
    type_oid: int
    identifies: bool
    """Whether updates and deletes tell its old value: it is of the replica identity, or that is full."""


@dataclass(frozen=True)
class Relation:
    """A table as it was when the changes that follow were made."""

    oid: int
    schema: str
    name: str
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True)
class RowChange:
    """An insert, update or delete; `old` is there when the key changed or the replica identity is full.

    Unless `full`, `old` has only the columns of the replica identity, and NULL for the others.
    """

    new: list[Value] | None
    old: list[Value] | None
    full: bool = False


def begin(message: bytes) -> tuple[int, datetime]:
    """The log position of the transaction's commit, and when it was committed."""
    position, microseconds, _ = _BEGIN.unpack_from(message, 1)
    return position, _EPOCH + timedelta(microseconds=microseconds)


def commit_end(message: bytes) -> int:
    """The log position after the transaction."""
    end: int = _COMMIT.unpack_from(message, 1)[2]
    return end


def relation(message: bytes) -> Relation:
    """A description of a table, which precedes its first change and its first after an ALTER."""
    (oid,) = _U32.unpack_from(message, 1)
    schema, at = _string(message, 5)
    name, at = _string(message, at)
    (count,) = _U16.unpack_from(message, at + 1)
    at += 3
    columns = []
    for _ in range(count):
        identifies = message[at] & _IDENTIFIES
        column, at = _string(message, at + 1)
        type_oid, _ = _COLUMN_TYPE.unpack_from(message, at)
        at += 8
        columns.append(RelationColumn(column, type_oid, bool(identifies)))
    return Relation(oid, schema or "pg_catalog", name, tuple(columns))


def relation_oid(message: bytes) -> int:
    """Which table an insert, update or delete is of."""
    return int.from_bytes(message[1:5], "big")


def truncated(message: bytes) -> tuple[int, ...]:
    """The tables that a TRUNCATE emptied."""
    (count,) = _U32.unpack_from(message, 1)
    return tuple(_U32.unpack_from(message, 6 + 4 * index)[0] for index in range(count))


def row_change(message: bytes) -> RowChange:
    """The row images of an insert, update or delete."""
    kind = message[0]
    if kind == INSERT:
        return RowChange(_tuple(message, 6)[0], None)
    if kind == DELETE:
        return RowChange(None, _tuple(message, 6)[0])
    if message[5] == _NEW:
        return RowChange(_tuple(message, 6)[0], None)
    old, at = _tuple(message, 6)
    return RowChange(_tuple(message, at + 1)[0], old, message[5] == _FULL)


def _tuple(message: bytes, at: int) -> tuple[list[Value], int]:
    count = message[at] << 8 | message[at + 1]
    at += 2
    values: list[Value] = []
    append = values.append
    for _ in range(count):
        kind = message[at]
        if kind == _TEXT:
            start = at + 5
            at = start + int.from_bytes(message[at + 1 : start], "big")
            append(message[start:at])
        elif kind == _NULL:
            append(None)
            at += 1
        elif kind == _UNCHANGED:
            append(UNCHANGED)
            at += 1
        else:
            raise ValueError(f"pgoutput: column of kind {chr(kind)!r} in a text-mode tuple")
    return values, at


def _string(message: bytes, at: int) -> tuple[str, int]:
    end = message.index(0, at)
    return message[at:end].decode(), end + 1
