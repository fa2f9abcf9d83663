"""Which tables can be followed by the log: those whose changes it tells whole, and whose keys stay apart in landing."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from lakehouse.embedded.airbyte.connectors.postgres.tables import Table
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError

_KEYLESS = """
SELECT n.nspname, c.relname
FROM pg_partition_tree(%s) t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.isleaf AND c.relreplident NOT IN ('d', 'f') AND NOT EXISTS (
    SELECT FROM pg_index i JOIN pg_index p ON p.indrelid = i.indrelid AND p.indisprimary
    WHERE i.indrelid = c.oid AND i.indisreplident AND p.indkey::int2[] <@ i.indkey::int2[])
ORDER BY 1, 2 LIMIT 1
"""
_DIGITS = 15  # of a decimal number, that a double always keeps


def why_not_followed(table: Table) -> str | None:
    """Why a table with a primary key can be read in full only, and the remedy; None when it can be followed."""
    where = f"{table.schema}.{table.name}"
    if table.inherited:
        return (
            f"tables inherit from {where}, and the log has their rows under their own names;"
            " make them partitions, or read the stream with full_refresh"
        )
    for name in table.primary_key:
        column = table.columns[name]
        if column.decimal and (column.digits is None or column.digits > _DIGITS):
            return (
                f"primary key column {name} of {where} is {column.declared_type}, which lands as a double:"
                f" keys of more than {_DIGITS} digits become one; make it bigint or numeric({_DIGITS}),"
                " or read the stream with full_refresh"
            )
    return None


def require_followable(connection: psycopg.Connection[Any], stream: ConfiguredStream, table: Table) -> None:
    """Raises ConnectorError naming the table and the remedy."""
    why = why_not_followed(table)
    if why is None and {path[0] for path in stream.primary_key} != set(table.primary_key):
        why = (
            f"the primary key of {table.schema}.{table.name} is ({', '.join(table.primary_key)}), and not the"
            f" connection's ({', '.join(path[0] for path in stream.primary_key)}); refresh the connection's schema"
        )
    if why is None and table.partitioned:
        why = _keyless_partition(connection, table)
    if why is not None:
        raise ConnectorError(f"stream {table.name}: {why}", kind="config_error")


def _keyless_partition(connection: psycopg.Connection[Any], table: Table) -> str | None:
    found = connection.execute(_KEYLESS, (table.oid,)).fetchone()
    if found is None:
        return None
    name = sql.Identifier(*found).as_string(connection)
    return (
        f"the replica identity of partition {'.'.join(found)} of {table.schema}.{table.name} lacks the primary key;"
        f" run: ALTER TABLE {name} REPLICA IDENTITY DEFAULT;"
    )
