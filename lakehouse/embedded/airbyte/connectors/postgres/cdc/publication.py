"""What the database must allow before its log can be read: settings, privileges, publication, identities.

Each refusal has the SQL that cures it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
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
# Which columns and rows a publication takes can be limited from PostgreSQL 15 on.
_PUBLISHED = """
SELECT t.schemaname, t.tablename, to_jsonb(t) -> 'attnames', to_jsonb(t) ->> 'rowfilter'
FROM pg_publication_tables t WHERE t.pubname = %s
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


def ensure_published(
    connection: psycopg.Connection[Any], name: str, wanted: Sequence[tuple[Table, Collection[str]]]
) -> None:
    """Makes the publication, or adds tables to it, as far as is needed and the user may.

    `wanted` are the tables with their selected columns.

    Raises ConnectorError where the user may not, or the publication leaves out columns, rows or partitions.
    """
    publication = sql.Identifier(name)
    found = connection.execute(
        "SELECT pubviaroot, pubinsert AND pubupdate AND pubdelete AND pubtruncate FROM pg_publication"
        " WHERE pubname = %s", (name,),
    ).fetchone()  # fmt: skip
    if found is None:
        listed = sql.SQL(", ").join(table.identifier for table, _ in wanted)
        statement = sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true)")
        _run(connection, statement.format(publication, listed), f"publication {name} is missing")
    else:
        via_root, everything = found
        if not everything:
            raise _refusal(
                f"publication {name} leaves out some kinds of changes",
                f"ALTER PUBLICATION {publication.as_string()} SET (publish = 'insert, update, delete, truncate')",
            )
        parents = [table for table, _ in wanted if _kind(connection, table) == "p"]
        if parents and not via_root:
            where = f"{parents[0].schema}.{parents[0].name}"
            raise _refusal(
                f"publication {name} publishes the partitions of {where}, not the table",
                f"ALTER PUBLICATION {publication.as_string()} SET (publish_via_partition_root = true)",
            )
        for table in _unpublished(connection, name, wanted):
            addition = sql.SQL("ALTER PUBLICATION {} ADD TABLE {}").format(publication, table.identifier)
            _run(connection, addition, f"publication {name} lacks table {table.schema}.{table.name}")
    published = _published(connection, name)
    for table, columns in wanted:
        _check_whole(name, table, columns, published.get((table.schema, table.name)))


@dataclass(frozen=True)
class _Published:
    """What a publication takes of a table: columns (None: all that the log has), and which rows (None: all)."""

    columns: list[str] | None
    rows: str | None


def _published(connection: psycopg.Connection[Any], name: str) -> dict[tuple[str, str], _Published]:
    rows = connection.execute(_PUBLISHED, (name,))
    return {(schema, table): _Published(columns, filter_) for schema, table, columns, filter_ in rows}


def _unpublished(
    connection: psycopg.Connection[Any], name: str, wanted: Sequence[tuple[Table, Collection[str]]]
) -> list[Table]:
    published = _published(connection, name)
    return [table for table, _ in wanted if (table.schema, table.name) not in published]


def _check_whole(name: str, table: Table, columns: Collection[str], published: _Published | None) -> None:
    """Raises ConnectorError unless every row of the table is published with the columns."""
    where = f"{table.schema}.{table.name}"
    if published is None:
        problem = f"publication {name} does not publish {where}, which it lists"
        raise ConnectorError(f"{problem}; an unlogged or temporary table has no log", kind="config_error")
    if published.rows is not None:
        raise _refusal(
            f"publication {name} takes only those rows of {where} with {published.rows}",
            f"ALTER PUBLICATION {sql.Identifier(name).as_string()} DROP TABLE {table.identifier.as_string()}",
            "the next sync adds it without a condition and reads it anew",
        )
    for column in columns:
        if table.columns[column].generated:
            problem = f"stream {table.name}: column {column} of {where} is generated, and the log lacks it"
            raise ConnectorError(f"{problem}; refresh the connection's schema", kind="config_error")
        if published.columns is not None and column not in published.columns:
            raise ConnectorError(
                f"publication {name} leaves out column {column} of {where};"
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
