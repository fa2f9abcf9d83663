"""A query as SQLite's full-text index takes it."""

from __future__ import annotations

from lakehouse.observability.logs.query import LogQuery, Phrase
from lakehouse.observability.logs.sqlite_schema import first_row, token

_FIRST, _LAST = 0, 2**63 - 1


def expression(query: LogQuery) -> str:
    """What `words MATCH` is given; empty when every record fits but for its time."""
    parts = [f"message : {_quoted(phrase)}" for phrase in query.phrases]
    for name, values in query.fields.items():
        if values:
            parts.append("fields : (" + " OR ".join(f'"{token(name, value)}"' for value in values) + ")")
    return " AND ".join(parts)


def bounds(query: LogQuery) -> tuple[int, int]:
    """The rowids of the time that is looked at: from the first on, before the second."""
    low = first_row(query.since) if query.since else _FIRST
    high = first_row(query.until) if query.until else _LAST
    return max(_FIRST, low), min(_LAST, high)


def _quoted(phrase: Phrase) -> str:
    text = phrase.text.replace('"', '""').replace("\0", " ")
    return f'"{text}"' + ("*" if phrase.prefix else "")
