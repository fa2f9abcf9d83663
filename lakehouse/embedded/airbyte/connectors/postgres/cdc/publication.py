"""What the database must allow before its log can be read: settings, privileges, publication, identities.

Each refusal has the SQL that cures it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from lakehouse.embedded.airbyte.connectors.postgres.configuration import PostgresConfiguration
from lakehouse.embedded.airbyte.connectors.postgres.tables import Table
from lakehouse.embedded.airbyte.protocol import ConnectorError

_SERVER = """
SELECT current_setting('wal_level'), rolsuper OR rolreplication
       OR EXISTS (SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication' AND pg_has_role(m.oid, 'MEMBER'))
FROM pg_roles WHERE rolname = current_user
"""
_PUBLISHED = """
SELECT t.schemaname, t.tablename, t.attnames FROM pg_publication_tables t WHERE t.pubname = %s
"""
_IDENTITIES = """
SELECT c.relreplident, c.relkind,
       (SELECT array_agg(a.attname::text) FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
        WHERE i.indrelid = c.oid AND i.indisreplident)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
"""


def check_server(connection: psycopg.Connection[Any], configuration: PostgresConfiguration) -> None:
    """Raises ConnectorError unless the server writes a logical log that this user may read."""
    ((wal_level, may_replicate),) = connection.execute(_SERVER).fetchall()
    if wal_level != "logical":
        raise _refusal(
            f"the server's wal_level is {wal_level}, and log-based reads need logical",
            "ALTER SYSTEM SET wal_level = 'logical'",
            "restart the server afterwards",
        )
    if not may_replicate:
        user = sql.Identifier(configuration.username).as_string(connection)
        raise _refusal(
            f"user {configuration.username} may not read the log", f"ALTER ROLE {user} REPLICATION"
        )


def ensure_published(connection: psycopg.Connection[Any], name: str, tables: Iterable[Table]) -> None:
    """Makes the publication, or adds tables to it, as far as is needed and the user may.

    Raises ConnectorError where the user may not, or the publication leaves out columns or partitions.
    """
    wanted = {(table.schema, table.name): table for table in tables}
    publication = sql.Identifier(name)
    found = connection.execute(
        "SELECT pubviaroot, pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication"
        " WHERE pubname = %s", (name,),
    ).fetchone()  # fmt: skip
    if found is None:
        listed = sql.SQL(", ").join(table.identifier for table in wanted.values())
        statement = sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true)")
        _run(connection, statement.format(publication, listed), f"publication {name} is missing")
        return
    via_root, everything = found
    if not everything:
        raise _refusal(
            f"publication {name} leaves out some kinds of changes",
            f"ALTER PUBLICATION {publication.as_string(connection)}"
            " SET (publish = 'insert, update, delete, truncate')",
        )
    published = {
        (schema, table): columns for schema, table, columns in connection.execute(_PUBLISHED, (name,))
    }
    for at, table in wanted.items():
        if not via_root and _kind(connection, table) == "p":
            raise _refusal(
                f"publication {name} publishes the partitions of {table.schema}.{table.name}, not the table",
                f"ALTER PUBLICATION {publication.as_string(connection)} SET (publish_via_partition_root = true)",
            )
        if at not in published:
            addition = sql.SQL("ALTER PUBLICATION {} ADD TABLE {}").format(publication, table.identifier)
            _run(connection, addition, f"publication {name} lacks table {table.schema}.{table.name}")
        elif missing := [column for column in table.columns if column not in published[at]]:
            raise ConnectorError(
                f"publication {name} leaves out column {missing[0]} of {table.schema}.{table.name};"
                " publish it, or deselect it in the connection",
                kind="config_error",
            )


def check_identity(connection: psycopg.Connection[Any], table: Table) -> None:
    """Raises ConnectorError unless deletes and updates of the table will name its primary key."""
    where = f"{table.schema}.{table.name}"
    if not table.primary_key:
        raise ConnectorError(
            f"stream {table.name}: table {where} has no primary key, without which changes cannot be followed;"
            " add one, or read the stream with full_refresh",
            kind="config_error",
        )
    identity, kind, index = _identity(connection, table)
    if (
        kind == "p"
        or identity in ("d", "f")
        or (identity == "i" and set(table.primary_key) <= set(index or ()))
    ):
        return
    problem = "is NOTHING" if identity == "n" else "is an index without its primary key"
    raise _refusal(
        f"stream {table.name}: the replica identity of {where} {problem}",
        f"ALTER TABLE {table.identifier.as_string(connection)} REPLICA IDENTITY DEFAULT",
    )


def _identity(connection: psycopg.Connection[Any], table: Table) -> tuple[str, str, list[str] | None]:
    query = connection.execute(_IDENTITIES, (table.schema, table.name))
    ((identity, kind, index),) = query.fetchall()
    return _text(identity), _text(kind), index


def _kind(connection: psycopg.Connection[Any], table: Table) -> str:
    return _identity(connection, table)[1]


def _text(value: bytes | str) -> str:
    """PostgreSQL's "char" arrives as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def _run(connection: psycopg.Connection[Any], statement: sql.Composed, problem: str) -> None:
    try:
        connection.execute(statement)
    except psycopg.errors.DuplicateObject:
        return  # another connection has just done the same
    except psycopg.errors.InsufficientPrivilege as error:
        raise _refusal(
            f"{problem}, and the user may not change that: {error.diag.message_primary}",
            statement.as_string(connection),
        ) from error


def _refusal(problem: str, cure: str, afterwards: str = "") -> ConnectorError:
    note = f" ({afterwards})" if afterwards else ""
    return ConnectorError(f"{problem}; run: {cure};{note}", kind="config_error")
