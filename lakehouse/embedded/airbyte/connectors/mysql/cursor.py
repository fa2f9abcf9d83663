"""Which rows an incremental read takes, and the state it reaches: the real connector's cursor-based state.

State: {version: 2, state_type: cursor_based, stream_name, stream_namespace, cursor_field: [c], cursor,
cursor_record_count}. The count says how many rows had the cursor's value: while it is unchanged the next read
takes only greater values, otherwise it takes equal ones again, so that none with an equal cursor is lost.

Window and rows are read in one snapshot. A transaction that commits later rows with smaller cursors is missed,
as it is by the real connector: the server does not tell which transaction wrote a row. CDC misses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lakehouse.embedded.airbyte.connectors.mysql.columns import MysqlColumn
from lakehouse.embedded.airbyte.connectors.mysql.sessions import Session, quoted, rows_of
from lakehouse.embedded.airbyte.connectors.mysql.tables import Table
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import Kind

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Window:
    """The rows to read, as a WHERE clause with its arguments, and the state to store when they are safe."""

    condition: str
    arguments: tuple[str, ...]
    state: Mapping[str, Any]


def window(
    session: Session, table: Table, stream: ConfiguredStream, state: Mapping[str, Any] | None
) -> Window:
    """The next window of an incremental stream: from the state's cursor to the greatest value of now.

    Rows whose cursor is NULL cannot be known to be unchanged, so they are read every time.
    """
    column = _cursor_column(table, stream)
    name = quoted(column.name)
    query = f"SELECT max({column.expression}) FROM {table.identifier}"  # noqa: S608  quoted names
    ((greatest,),) = rows_of(session, query)
    if state is None or list(state.get("cursor_field") or ()) != [column.name]:
        state = {}
    lower: str | None = state.get("cursor")
    recorded = int(state.get("cursor_record_count") or 0)
    clauses, arguments = [], []
    if greatest is None:
        reached, count = lower, recorded
        clauses.append("false")
    else:
        reached, count = str(greatest), _count_at(session, table, column, greatest)
        clauses.append(f"{name} <= {_literal(column, greatest)}")
        arguments.append(str(greatest))
    if lower is not None:
        operator = ">=" if _count_at(session, table, column, lower) != recorded else ">"
        clauses.append(f"{name} {operator} {_literal(column, lower)}")
        arguments.append(lower)
    condition = " AND ".join(clauses)
    if column.nullable:
        condition = f"(({condition}) OR {name} IS NULL)"
    return Window(condition, tuple(arguments), _state(table, column, reached, count))


def _cursor_column(table: Table, stream: ConfiguredStream) -> MysqlColumn:
    if len(stream.cursor_field) != 1:
        problem = f"stream {stream.name}: incremental needs one cursor field; set cursorField of the stream"
        raise ConnectorError(problem, kind="config_error")
    column = table.columns[stream.cursor_field[0]]
    if not column.can_be_cursor:
        problem = (
            f"stream {stream.name}: column {column.name} of type {column.declared_type} cannot be a cursor;"
            " choose one that only grows, such as updated_at"
        )
        raise ConnectorError(problem, kind="config_error")
    return column


def _count_at(session: Session, table: Table, column: MysqlColumn, cursor: str) -> int:
    where = f"{quoted(column.name)} = {_literal(column, cursor)}"
    query = f"SELECT count(*) FROM {table.identifier} WHERE {where}"  # noqa: S608  quoted names
    ((count,),) = rows_of(session, query, (cursor,))
    return int(count)


def _literal(column: MysqlColumn, value: str) -> str:
    """The placeholder of a value; a number compared as text would be compared as a double, and lose digits."""
    if column.kind not in (Kind.INTEGER, Kind.NUMBER):
        return "%s"
    if _NUMBER.fullmatch(value) is None:
        problem = f"the stored cursor {value!r} is no value of column {column.name} ({column.declared_type})"
        raise ConnectorError(f"{problem}; refresh the stream", kind="config_error")
    if column.type_name in ("float", "double"):
        return "(%s + 0e0)"
    return f"CAST(%s AS decimal(65, {column.scale or 0}))"


def _state(table: Table, column: MysqlColumn, cursor: str | None, count: int) -> dict[str, Any]:
    return {
        "version": 2,
        "state_type": "cursor_based",
        "stream_name": table.name,
        "stream_namespace": table.database,
        "cursor_field": [column.name],
        "cursor": cursor,
        "cursor_record_count": count,
    }
