"""Which rows an incremental read takes, and the state it reaches: the real connector's cursor-based state.

State: {version: 2, state_type: cursor_based, stream_name, stream_namespace, cursor_field: [c], cursor,
cursor_record_count}. The count says how many rows had the cursor's value: while it is unchanged the next read
takes only greater values, otherwise it takes equal ones again, so that none with an equal cursor is lost.

A transaction that was open during a read commits rows with cursors the read has passed already. So the state
also keeps `in_flight_from`, the oldest transaction then open, if any: the next read takes, besides the greater
cursors, what that transaction and later ones wrote. The real connector has no such field, and loses these rows.
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


_GREATEST = """
WITH g AS MATERIALIZED (SELECT max({c}) AS m FROM {t})
SELECT to_json((SELECT m FROM g)) #>> '{{}}', (SELECT count(*) FROM {t} WHERE {c} = (SELECT m FROM g)),
       txid_snapshot_xmin(s), txid_snapshot_xmax(s)
FROM txid_current_snapshot() s
"""


@dataclass(frozen=True)
class Window:
    """The rows to read, as a WHERE clause, and the state to store when they are safe."""

    condition: sql.Composable
    state: Mapping[str, Any]


@dataclass(frozen=True)
class _Reach:
    """How far the rows go now: the greatest cursor, rows that have it, the oldest open transaction."""

    cursor: str | None
    count: int
    in_flight_from: int | None


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
    reach = _reach(connection, table, column)
    if state is None or list(state.get("cursor_field") or ()) != [column.name]:
        state = {}
    lower: str | None = state.get("cursor")
    condition = sql.SQL("false") if reach.cursor is None else _compare(column, "<=", reach.cursor)
    if lower is not None:
        operator = ">=" if _count_at(connection, table, column, lower) != _recorded(state) else ">"
        after = _compare(column, operator, lower)
        if table.versioned and state.get("in_flight_from") is not None:
            after = sql.SQL("({} OR {})").format(after, _written_since(int(state["in_flight_from"])))
        condition = sql.SQL("{} AND {}").format(condition, after)
    if column.nullable:
        condition = sql.SQL("(({}) OR {} IS NULL)").format(condition, column.identifier)
    if reach.cursor is None:
        reach = _Reach(lower, _recorded(state), reach.in_flight_from)
    return Window(condition, _state(table, column, reach))


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


def _reach(connection: psycopg.Connection[Any], table: Table, column: PostgresColumn) -> _Reach:
    query = sql.SQL(_GREATEST).format(c=column.identifier, t=table.identifier)
    ((cursor, count, oldest, next_),) = connection.execute(query).fetchall()
    return _Reach(cursor, count, oldest if oldest < next_ else None)


def _count_at(connection: psycopg.Connection[Any], table: Table, column: PostgresColumn, cursor: str) -> int:
    at = _compare(column, "=", cursor)
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(table.identifier, at)
    ((count,),) = connection.execute(query).fetchall()
    return int(count)


def _recorded(state: Mapping[str, Any]) -> int:
    return int(state.get("cursor_record_count") or 0)


def _written_since(transaction: int) -> sql.Composable:
    """Rows of this transaction and later ones; ages, because row versions keep only the lower 32 bits."""
    return sql.SQL("age(xmin) <= age({}::text::xid)").format(sql.Literal(str(transaction % 2**32)))


def _compare(column: PostgresColumn, operator: str, value: str) -> sql.Composable:
    return sql.SQL("{} {} {}::{}").format(
        column.identifier, sql.SQL(operator), sql.Literal(value), sql.SQL(column.declared_type)
    )


def _state(table: Table, column: PostgresColumn, reach: _Reach) -> dict[str, Any]:
    state = {
        "version": 2,
        "state_type": "cursor_based",
        "stream_name": table.name,
        "stream_namespace": table.schema,
        "cursor_field": [column.name],
        "cursor": reach.cursor,
        "cursor_record_count": reach.count,
    }
    if table.versioned and reach.in_flight_from is not None:
        state["in_flight_from"] = reach.in_flight_from
    return state
