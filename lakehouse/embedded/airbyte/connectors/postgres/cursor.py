"""Which rows an incremental read takes, and the state it reaches: the real connector's cursor-based state.

State: {version: 2, state_type: cursor_based, stream_name, stream_namespace, cursor_field: [c], cursor,
cursor_record_count}. The count says how many rows had the cursor's value: while it is unchanged the next read
takes only greater values, otherwise it takes equal ones again, so that none with an equal cursor is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from lakehouse.embedded.airbyte.connectors.postgres.projection import PostgresColumn
from lakehouse.embedded.airbyte.connectors.postgres.tables import Table
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError

_UNORDERED = frozenset(
    {"json", "jsonb", "xml", "point", "box", "polygon", "circle", "line", "lseg", "path", "bool"}
)


@dataclass(frozen=True)
class Window:
    """The rows to read, as a WHERE clause, and the state to store when they are safe."""

    condition: sql.Composable
    state: Mapping[str, Any]


def window(
    connection: psycopg.Connection[Any],
    table: Table,
    stream: ConfiguredStream,
    state: Mapping[str, Any] | None,
) -> Window:
    """The next window of an incremental stream: from the state's cursor to the greatest value of now.

    Rows whose cursor is NULL cannot be known to be unchanged, so they are read every time.
    """
    column = _cursor_column(table, stream)
    upper, count = _greatest(connection, table, column)
    lower = state.get("cursor") if state and list(state.get("cursor_field") or ()) == [column.name] else None
    bounds: list[sql.Composable] = []
    if upper is None:
        bounds.append(sql.SQL("false"))
    else:
        bounds.append(_compare(column, "<=", upper))
    if lower is not None:
        bounds.append(
            _compare(column, ">=" if _more_rows_at(connection, table, column, lower, state) else ">", lower)
        )
    condition = sql.SQL(" AND ").join(bounds)
    if column.nullable:
        condition = sql.SQL("(({}) OR {} IS NULL)").format(condition, column.identifier)
    reached, reached_count = (upper, count) if upper is not None else (lower, _count(state))
    return Window(condition, _state(table, column, reached, reached_count))


def _cursor_column(table: Table, stream: ConfiguredStream) -> PostgresColumn:
    if len(stream.cursor_field) != 1:
        problem = f"stream {stream.name}: incremental needs one cursor field; set cursorField of the stream"
        raise ConnectorError(problem, kind="config_error")
    column = table.columns[stream.cursor_field[0]]
    if column.element or column.type_name in _UNORDERED:
        problem = (
            f"stream {stream.name}: column {column.name} of type {column.declared_type} cannot be a cursor;"
            " choose one that only grows, such as updated_at"
        )
        raise ConnectorError(problem, kind="config_error")
    return column


def _greatest(
    connection: psycopg.Connection[Any], table: Table, column: PostgresColumn
) -> tuple[str | None, int]:
    query = sql.SQL(
        "WITH g AS MATERIALIZED (SELECT max({c}) AS m FROM {t})"
        " SELECT to_json((SELECT m FROM g)) #>> '{{}}',"
        " (SELECT count(*) FROM {t} WHERE {c} = (SELECT m FROM g))"
    )
    (found,) = connection.execute(query.format(c=column.identifier, t=table.identifier)).fetchall()
    return found[0], found[1]


def _more_rows_at(
    connection: psycopg.Connection[Any],
    table: Table,
    column: PostgresColumn,
    cursor: str,
    state: Mapping[str, Any] | None,
) -> bool:
    query = sql.SQL("SELECT count(*) FROM {t} WHERE ").format(t=table.identifier) + _compare(
        column, "=", cursor
    )
    ((count,),) = connection.execute(query).fetchall()
    return bool(count != _count(state))


def _count(state: Mapping[str, Any] | None) -> int:
    return int((state or {}).get("cursor_record_count") or 0)


def _compare(column: PostgresColumn, operator: str, value: str) -> sql.Composable:
    return sql.SQL("{} {} {}::{}").format(
        column.identifier, sql.SQL(operator), sql.Literal(value), sql.SQL(column.declared_type)
    )


def _state(table: Table, column: PostgresColumn, cursor: str | None, count: int) -> dict[str, Any]:
    return {
        "version": 2,
        "state_type": "cursor_based",
        "stream_name": table.name,
        "stream_namespace": table.schema,
        "cursor_field": [column.name],
        "cursor": cursor,
        "cursor_record_count": count,
    }
