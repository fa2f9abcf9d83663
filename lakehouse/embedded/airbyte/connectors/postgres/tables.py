"""The tables a Postgres user may read: columns, keys; and opening connections with clear errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lakehouse.embedded.airbyte.connectors.postgres.configuration import PostgresConfiguration
from lakehouse.embedded.airbyte.connectors.postgres.projection import PostgresColumn
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import airbyte_type

_TABLES = """
WITH RECURSIVE base AS (
    SELECT oid, oid AS root, typtypmod AS typmod FROM pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT d.oid, b.root, CASE WHEN d.typtypmod >= 0 THEN d.typtypmod ELSE b.typmod END
    FROM pg_type d JOIN base b ON d.typbasetype = b.oid WHERE d.typtype = 'd')
SELECT n.nspname, c.relname, c.oid::int8, c.relkind IN ('r', 'p', 'm'), c.relkind IN ('r', 'p') AND c.relpersistence = 'p',
       c.relkind = 'p', c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid),
       a.attname, t.typname, format_type(a.atttypid, a.atttypmod),
       CASE WHEN t.typname = 'numeric' AND greatest(a.atttypmod, base.typmod) >= 0
            THEN (greatest(a.atttypmod, base.typmod) - 4) >> 16 & 65535 END,
       CASE WHEN t.typcategory = 'A' THEN e.typname END, NOT a.attnotnull, a.attgenerated <> ''
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN base ON base.oid = a.atttypid
JOIN pg_type t ON t.oid = base.root
LEFT JOIN pg_type e ON e.oid = t.typelem
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname, c.relname, a.attnum
"""
_KEYS = """
SELECT n.nspname, c.relname, a.attname
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE i.indisprimary AND n.nspname = ANY(%s)
ORDER BY n.nspname, c.relname, k.position
"""
_INSUFFICIENT_PRIVILEGE = "42501"
_TRAITS = 4  # versioned, logged, partitioned, inherited
REFRESH = "refresh the connection's schema or deselect it"


@dataclass(frozen=True)
class Table:
    """A table or view, its columns in order and its primary key (empty when it has none)."""

    schema: str
    name: str
    columns: dict[str, PostgresColumn]
    primary_key: tuple[str, ...]
    oid: int
    """Another one than before means that the table was dropped and made anew."""
    versioned: bool
    """Whether its rows tell which transaction wrote them; those of a view or a foreign table do not."""
    logged: bool
    """Whether its changes are in the log; those of views and unlogged tables are not."""
    partitioned: bool
    """Whether its rows are its partitions'; the log has them as its own."""
    inherited: bool
    """Whether other tables inherit from it; a read of it has their rows, and the log has them as theirs."""

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted two-part name."""
        return sql.Identifier(self.schema, self.name)


def configuration_of(settings: Mapping[str, Any]) -> PostgresConfiguration:
    """The validated configuration. Raises ConnectorError naming the field."""
    method = settings.get("replication_method")
    if isinstance(method, Mapping) and method.get("method") == "Xmin":
        problem = "source-postgres replication_method Xmin: this server reads with Standard or CDC"
        raise ConnectorError(f"{problem}; set one of them, or use a real Airbyte", kind="config_error")
    try:
        return msgspec.convert(settings, PostgresConfiguration)
    except msgspec.ValidationError as error:
        raise ConnectorError(f"source-postgres configuration: {error}", kind="config_error") from error


def connection_string(configuration: PostgresConfiguration, *, writable: bool = False) -> str:
    """A libpq connection string; the session reads only unless `writable`, speaks UTC and ISO."""
    options = "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=postgres -c bytea_output=hex"
    options += " -c lc_monetary=C -c extra_float_digits=1"
    if not writable:
        options += " -c default_transaction_read_only=on"
    return make_conninfo(
        host=configuration.host,
        port=configuration.port,
        dbname=configuration.database,
        user=configuration.username,
        password=configuration.password,
        sslmode=configuration.ssl_mode.mode,
        connect_timeout=15,
        application_name="airbyte source-postgres",
        client_encoding="utf8",
        options=options,
    )


@contextmanager
def connected(
    configuration: PostgresConfiguration, *, writable: bool = False
) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection. Raises ConnectorError where the server refuses or is not there."""
    try:
        connection = psycopg.connect(connection_string(configuration, writable=writable), autocommit=True)
    except psycopg.OperationalError as error:
        reason = last_line(error)
        raise ConnectorError(
            f"cannot connect to Postgres {configuration.address} as {configuration.username}: {reason};"
            " check host, port, database, username and password of the source",
            kind="config_error",
        ) from error
    with connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise query_error(configuration, error) from error


def query_error(configuration: PostgresConfiguration, error: Exception) -> ConnectorError:
    """A failed query as one line."""
    problem = f"Postgres {configuration.address}: {last_line(error)}"
    if getattr(error, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE:
        remedy = f"grant {configuration.username} USAGE on the schema and SELECT on the table"
        return ConnectorError(f"{problem}; {remedy}", kind="config_error", detail=str(error))
    return ConnectorError(problem, detail=str(error))


def last_line(error: Exception | str) -> str:
    """The line of a server's message that tells what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = (
        [line for line in lines if "FATAL:" in line or "ERROR:" in line]
        or lines[:1]
        or [type(error).__name__]
    )
    return telling[-1].rpartition("FATAL:")[2].strip()


def tables_of(connection: psycopg.Connection[Any], schemas: tuple[str, ...]) -> dict[tuple[str, str], Table]:
    """The readable tables and views of the schemas, by name; partitions are read through their parent."""
    keys: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in connection.execute(_KEYS, (list(schemas),)):
        keys.setdefault((schema, table), []).append(column)
    found: dict[tuple[str, str], Table] = {}
    for schema, table, oid, *row in connection.execute(_TABLES, (list(schemas),)):
        at, traits, described = (schema, table), row[:_TRAITS], row[_TRAITS:]
        entry = found.setdefault(at, Table(schema, table, {}, tuple(keys.get(at, ())), oid, *traits))
        entry.columns[described[0]] = PostgresColumn(*described)
    return found


def table_for(connection: psycopg.Connection[Any], stream: ConfiguredStream) -> Table:
    """The table of a configured stream, checked against what the catalog selected.

    Raises ConnectorError naming stream and column when the table is gone, or a selected column, a primary key
    or a cursor is gone or has changed its type.
    """
    schema = stream.namespace or "public"
    table = tables_of(connection, (schema,)).get((schema, stream.name))
    where = f"stream {stream.name}"
    if table is None:
        problem = f"{where}: table {schema}.{stream.name} is gone, or the user may not read it; {REFRESH}"
        raise ConnectorError(problem, kind="config_error")
    needed = {path[0]: "primary key" for path in stream.primary_key} | dict.fromkeys(
        stream.cursor_field[:1], "cursor"
    )
    for name in [*needed, *stream.json_schema.get("properties", {})]:
        column = table.columns.get(name)
        role = f"{needed[name]} column" if name in needed else "column"
        if column is None:
            problem = f"{where}: {role} {name} is gone from table {schema}.{stream.name}; {REFRESH}"
            raise ConnectorError(problem, kind="config_error")
        expected = stream.json_schema.get("properties", {}).get(name)
        if expected is not None and airbyte_type(expected) != airbyte_type(column.json_schema):
            problem = (
                f"{where}: {role} {name} of table {schema}.{stream.name} has changed its type to"
                f" {column.declared_type}; {REFRESH}"
            )
            raise ConnectorError(problem, kind="config_error")
    return table
