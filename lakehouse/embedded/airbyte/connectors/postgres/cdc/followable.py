"""Which tables can be followed by the log: those whose changes it tells whole, and whose keys stay apart in landing."""

from __future__ import annotations

from lakehouse.embedded.airbyte.connectors.postgres.tables import Table
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError

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


def require_followable(stream: ConfiguredStream, table: Table) -> None:
    """Raises ConnectorError naming the table and the remedy."""
    why = why_not_followed(table)
    if why is None and {path[0] for path in stream.primary_key} != set(table.primary_key):
        why = (
            f"the primary key of {table.schema}.{table.name} is ({', '.join(table.primary_key)}), and not the"
            f" connection's ({', '.join(path[0] for path in stream.primary_key)}); refresh the connection's schema"
        )
    if why is not None:
        raise ConnectorError(f"stream {table.name}: {why}", kind="config_error")
