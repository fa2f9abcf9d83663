"""Dremio's naming rules: paths of tables, and how result columns are called."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from lakehouse.embedded.dremio.sql.model import Path, SqlError

SNAPSHOTS = "$table_snapshot"
"""First part of the pseudo-path of TABLE(table_snapshot('...'))."""


def table_path(table: exp.Expression) -> Path:
    """The path of a table as written, unquoted. Raises SqlError for a table function that is not known."""
    if not isinstance(table, exp.Table):
        raise SqlError(f"{table.sql('dremio')} is no table")
    this = table.this
    if isinstance(this, exp.Anonymous | exp.Func):
        return _function_path(this)
    tail = [part.name for part in this.flatten()] if isinstance(this, exp.Dot) else [this.name]
    return tuple(part for part in (table.catalog, table.db, *tail) if part)


def _function_path(function: exp.Expression) -> Path:
    inner = function.expressions[0] if function.name.upper() == "TABLE" and function.expressions else None
    if isinstance(inner, exp.Anonymous) and inner.name.upper() == "TABLE_SNAPSHOT" and inner.expressions:
        return (SNAPSHOTS, *split_path(inner.expressions[0].name))
    named = inner if isinstance(inner, exp.Anonymous | exp.Func) else function
    raise SqlError(
        f"unknown table function {named.name.upper() or named.sql()}: the local engine knows TABLE(table_snapshot(..))"
    )


def split_path(text: str) -> Path:
    """A dotted path in text, parts quoted or not.

    >>> split_path('"lake"."my.gold".orders')
    ('lake', 'my.gold', 'orders')
    """
    parts, current, quoted = [], "", False
    for character in text:
        if character == '"':
            quoted = not quoted
        elif character == "." and not quoted:
            parts.append(current)
            current = ""
        else:
            current += character
    return (*parts, current)


def written_name(projection: exp.Expression, position: int) -> str:
    """A result column's name before duplicates are told apart: the alias, the column as written, or EXPR$n."""
    if isinstance(projection, exp.Alias):
        return projection.alias
    if isinstance(projection, exp.Column | exp.Dot):
        return projection.name
    return f"EXPR${position}"


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """Later duplicates (in any case) get 0, 1, ... appended, as Dremio does.

    >>> unique_names(["a", "b", "A", "a"])
    ('a', 'b', 'A0', 'a1')
    """
    seen: dict[str, int] = {}
    taken: set[str] = set()
    result = []
    for name in names:
        unique = name
        while unique.lower() in taken:
            count = seen.get(name.lower(), 0)
            seen[name.lower()] = count + 1
            unique = f"{name}{count}"
        taken.add(unique.lower())
        result.append(unique)
    return tuple(result)
