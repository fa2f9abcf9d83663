"""Counting records by a field, without reading them where that can be avoided."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from lakehouse.observability.logs.query import LogQuery
from lakehouse.observability.logs.sqlite_match import bounds, expression
from lakehouse.observability.logs.store import MOST_VALUES

_PAIRS = ("level", "service")
"""The fields of the index `log_level_service`, which have few values."""


def count(database: sqlite3.Connection, query: LogQuery, by: str) -> dict[str, int]:
    """How many records fit by each value of a field, the most frequent first."""
    if by not in _PAIRS:
        found = _by_rows(database, query, by)
    elif not query.phrases and query.fields.get("level") and not set(query.fields).difference(_PAIRS):
        found = _by_index(database, query, by)
    else:
        found = _by_words(database, query, by)
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return {value: number for value, number in ordered[:MOST_VALUES] if number}


def _by_index(database: sqlite3.Connection, query: LogQuery, by: str) -> dict[str, int]:
    """By the index alone: one range of it for every pair of level and service. Quickest for rare levels."""
    found: dict[str, int] = {}
    for level, service in _pairs(database):
        if level in query.fields.get("level", (level,)) and service in query.fields.get(
            "service", (service,)
        ):
            number = database.execute(
                "SELECT count(*) FROM log WHERE level = ? AND service = ? AND rowid >= ? AND rowid < ?",
                [level, service, *bounds(query)],
            ).fetchone()[0]
            value = level if by == "level" else service
            found[value] = found.get(value, 0) + number
    return found


def _by_words(database: sqlite3.Connection, query: LogQuery, by: str) -> dict[str, int]:
    """By the full-text index alone: one search for every value."""
    values = {pair[_PAIRS.index(by)] for pair in _pairs(database)}
    if query.fields.get(by):
        values &= set(query.fields[by])
    found: dict[str, int] = {}
    for value in values:
        narrowed = replace(query, fields={**query.fields, by: (value,)})
        found[value] = database.execute(
            "SELECT count(*) FROM words WHERE words MATCH ? AND rowid >= ? AND rowid < ?",
            [expression(narrowed), *bounds(query)],
        ).fetchone()[0]
    return found


def _by_rows(database: sqlite3.Connection, query: LogQuery, by: str) -> dict[str, int]:
    match = expression(query)
    table = "words JOIN log ON log.rowid = words.rowid" if match else "log"
    key = "words.rowid" if match else "log.rowid"
    where = f"{key} >= ? AND {key} < ? AND log.{by} IS NOT NULL" + (" AND words MATCH ?" if match else "")
    rows = database.execute(
        f"SELECT log.{by}, count(*) FROM {table} WHERE {where} GROUP BY 1",  # noqa: S608  a field of ours
        [*bounds(query), *([match] if match else [])],
    )
    return dict(rows.fetchall())


def _pairs(database: sqlite3.Connection) -> list[tuple[str, str]]:
    """The levels and services that there are: a seek in the index for each."""
    return [
        (level, service)
        for level in _steps(database, "SELECT min(level) FROM log WHERE level > ?")
        for service in _steps(database, "SELECT min(service) FROM log WHERE level = ? AND service > ?", level)
    ]


def _steps(database: sqlite3.Connection, following: str, *within: str) -> Iterator[str]:
    """Each value, from the one before; SQLite seeks for a minimum, and would scan for DISTINCT or pairs."""
    value = ""
    while (value := database.execute(following, [*within, value]).fetchone()[0]) is not None:
        yield value
