"""Statements in the binary log that change tables without row events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

_COMMENT = re.compile(r"/\*.*?\*/|(?:--\s|#)[^\n]*", re.DOTALL)
_NAME = r"(?:`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[\w$\u0080-\uffff]+)"
_TABLE = re.compile(rf"\s*({_NAME})(?:\s*\.\s*({_NAME}))?")
_HEAD = re.compile(
    r"\s*(?:(?P<truncate>truncate(?:\s+table)?)"
    r"|(?P<drop>drop\s+tables?)"
    r"|(?P<rename>rename\s+tables?)"
    r"|(?P<replace>create\s+or\s+replace\s+table)"
    r"|(?P<alter>alter\s+(?:online\s+|ignore\s+)*table)"
    r"|(?P<database>drop\s+(?:database|schema))"
    r"|(?P<rows>insert|update|delete|replace|load\s+data))\b(?:\s+if\s+(?:not\s+)?exists\b)?",
    re.IGNORECASE,
)
# Rows come or go with these, and none of them is logged.
_WITHOUT_ROWS = re.compile(
    r"\b(?:drop|truncate|exchange|convert|discard|import)\s+(?:table\s+\S+\s+to\s+)?(?:partition|tablespace)\b"
    r"|\brename\s+(?:to\s+|as\s+)?(?!column\b|index\b|key\b|constraint\b)",
    re.IGNORECASE,
)


_MODIFIERS = re.compile(
    r"^\s*(?:(?:low_priority|delayed|high_priority|quick|ignore|into|from)\b\s*)*", re.IGNORECASE
)
_SEVERAL = re.compile(r"\bjoin\b|\busing\b", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*(?:,|\bto\b)", re.IGNORECASE)


class Effect(Enum):
    """What a statement does to a table."""

    EMPTIED = "emptied"
    REPLACED = "replaced"
    """The table of this name is another one, or has other rows, and no row event says which."""
    WRITTEN = "written"
    """Rows were logged as a statement."""


@dataclass(frozen=True)
class TableStatement:
    """A statement's effect on a table; `table` is None for all of a database, or one that is not told."""

    effect: Effect
    database: str
    table: str | None


def effects_of(statement: str, database: str) -> Iterator[TableStatement]:
    """What a logged statement, run in a database, does to tables beyond what row events say."""
    text = _COMMENT.sub(" ", statement)
    head = _HEAD.match(text)
    if head is None:
        return
    rest = text[head.end() :]
    match head.lastgroup:
        case "rows":
            yield TableStatement(Effect.WRITTEN, *_written(rest, database))
        case "database":
            yield from (TableStatement(Effect.REPLACED, name, None) for _, name in _tables(rest, database))
        case "truncate":
            yield TableStatement(Effect.EMPTIED, *next(_tables(rest, database)))
        case "alter" if _WITHOUT_ROWS.search(rest) is None:
            return
        case "alter" | "replace":
            yield TableStatement(Effect.REPLACED, *next(_tables(rest, database)))
        case _:
            yield from (TableStatement(Effect.REPLACED, *at) for at in _tables(rest, database))


def _written(text: str, database: str) -> tuple[str, str | None]:
    """The table of a statement that writes rows; None where it may write several."""
    tables = list(_tables(_MODIFIERS.sub("", text, count=1), database))
    return tables[0] if len(tables) == 1 and not _SEVERAL.search(text) else (database, None)


def _tables(text: str, database: str) -> Iterator[tuple[str, str]]:
    """The tables of a list, as `a, b` or `a TO b`."""
    place = 0
    while (found := _TABLE.match(text, place)) is not None:
        first, second = found.groups()
        yield (_plain(first), _plain(second)) if second else (database, _plain(first))
        separator = _SEPARATOR.match(text, found.end())
        if separator is None:
            return
        place = separator.end()


def _plain(name: str) -> str:
    quote = name[0]
    return name[1:-1].replace(quote * 2, quote) if quote in '`"' else name
