"""The tables that a MySQL user may read: columns and keys."""

from __future__ import annotations

from dataclasses import dataclass

from lakehouse.embedded.airbyte.connectors.mysql.columns import MysqlColumn, is_boolean
from lakehouse.embedded.airbyte.connectors.mysql.configuration import MysqlConfiguration
from lakehouse.embedded.airbyte.connectors.mysql.sessions import Session, quoted, rows_of
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import airbyte_type

_COLUMNS = """
SELECT t.table_name, t.table_type <> 'VIEW', c.column_name, lower(c.data_type),
       lower(c.column_type), coalesce(c.character_octet_length, c.numeric_precision), c.numeric_scale,
       c.is_nullable = 'YES'
FROM information_schema.tables t
JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
WHERE t.table_schema = %s AND t.table_type IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
ORDER BY t.table_name, c.ordinal_position
"""
_KEYS = """
SELECT table_name, column_name FROM information_schema.key_column_usage
WHERE table_schema = %s AND constraint_name = 'PRIMARY'
ORDER BY table_name, ordinal_position
"""
REFRESH = "refresh the connection's schema or deselect it"


@dataclass(frozen=True)
class Table:
    """A table or view, its columns in order and its primary key (empty when it has none)."""

    database: str
    name: str
    columns: dict[str, MysqlColumn]
    primary_key: tuple[str, ...]
    logged: bool
    """Whether its changes are in the binary log; those of views are not."""

    @property
    def identifier(self) -> str:
        """The quoted two-part name."""
        return quoted(self.database, self.name)


def tables_of(session: Session, configuration: MysqlConfiguration) -> dict[str, Table]:
    """The readable tables and views of the database, by name."""
    database = configuration.database
    keys: dict[str, list[str]] = {}
    for table, column in rows_of(session, _KEYS, (database,)):
        keys.setdefault(table, []).append(column)
    found: dict[str, Table] = {}
    tiny = configuration.driver.tiny_is_boolean
    for name, base, column, type_name, declared, length, scale, nullable in rows_of(
        session, _COLUMNS, (database,)
    ):
        table = found.setdefault(name, Table(database, name, {}, tuple(keys.get(name, ())), base == "1"))
        table.columns[column] = MysqlColumn(
            name=column,
            type_name=type_name,
            declared_type=declared,
            length=None if length is None else int(length),
            scale=None if scale is None else int(scale),
            nullable=nullable == "1",
            is_boolean=is_boolean(type_name, declared, tiny_is_boolean=tiny),
        )
    return found


def table_for(session: Session, configuration: MysqlConfiguration, stream: ConfiguredStream) -> Table:
    """The table of a configured stream, checked against what the catalog selected.

    Raises ConnectorError naming stream and column when the table is gone, or a selected column, a primary key
    or a cursor is gone or has changed its type.
    """
    where = f"stream {stream.name}"
    name = f"{configuration.database}.{stream.name}"
    table = tables_of(session, configuration).get(stream.name)
    if table is None or stream.namespace not in (None, configuration.database):
        problem = f"{where}: table {name} is gone, or the user may not read it; {REFRESH}"
        raise ConnectorError(problem, kind="config_error")
    selected = stream.json_schema.get("properties", {})
    needed = {path[0]: "primary key" for path in stream.primary_key} | dict.fromkeys(
        stream.cursor_field[:1], "cursor"
    )
    for column_name in [*needed, *selected]:
        role = f"{needed[column_name]} column" if column_name in needed else "column"
        column = table.columns.get(column_name)
        if column is None:
            problem = f"{where}: {role} {column_name} is gone from table {name}; {REFRESH}"
            raise ConnectorError(problem, kind="config_error")
        expected = selected.get(column_name)
        if expected is not None and airbyte_type(expected) != airbyte_type(column.json_schema):
            problem = f"{where}: {role} {column_name} of table {name} has changed its type to"
            raise ConnectorError(f"{problem} {column.declared_type}; {REFRESH}", kind="config_error")
    return table
