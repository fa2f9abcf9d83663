"""source-postgres over the protocol: Postgres itself builds the JSON of every record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from lakehouse.embedded.airbyte.connectors.postgres.cdc.columns import LOG_COLUMNS, LSN, readable_alone
from lakehouse.embedded.airbyte.connectors.postgres.cdc.followable import why_not_followed
from lakehouse.embedded.airbyte.connectors.postgres.cdc.publication import check_server
from lakehouse.embedded.airbyte.connectors.postgres.configuration import Cdc, PostgresConfiguration
from lakehouse.embedded.airbyte.connectors.postgres.cursor import window
from lakehouse.embedded.airbyte.connectors.postgres.projection import GUARDED
from lakehouse.embedded.airbyte.connectors.postgres.tables import (
    Table,
    configuration_of,
    connected,
    table_for,
    tables_of,
)
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.protocol import ConnectorError

SERIALIZATION_ERROR = "SOURCE_SERIALIZATION_ERROR"
# How a value without a place in JSON or ISO 8601 looks in a line; only lines with one are looked into.
_SUSPECT = re.compile(rb'"NaN"|nfinity"|"10000-01-01| BC"|"24:00:00')
# Quote and delimiter never occur in JSON text, which escapes control characters: every line comes out raw.
_COPY = sql.SQL(
    "COPY (SELECT row_to_json(r) FROM ({}) r) TO STDOUT (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')"
)
_EVERY = sql.SQL("true")


class PostgresSource:
    """The four commands of the protocol for Postgres."""

    def spec(self) -> dict[str, Any]:
        """The ConnectorSpecification."""
        return {
            "documentationUrl": "https://docs.airbyte.com/integrations/sources/postgres",
            "connectionSpecification": msgspec.json.schema(PostgresConfiguration),
            "supportsIncremental": True,
        }

    def check(self, configuration: Mapping[str, Any]) -> None:
        """Connects and asks for at least one readable table. Raises ConnectorError."""
        settings = configuration_of(configuration)
        with connected(settings) as connection:
            if isinstance(settings.replication_method, Cdc):
                check_server(connection, settings)
            if not tables_of(connection, settings.schemas):
                raise ConnectorError(
                    f"Postgres {settings.address}: user {settings.username} can read no table in"
                    f" {', '.join(settings.schemas)}; grant SELECT or correct `schemas`",
                    kind="config_error",
                )

    def discover(self, configuration: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Every readable table and view as an AirbyteStream."""
        settings = configuration_of(configuration)
        log_based = isinstance(settings.replication_method, Cdc)
        with connected(settings) as connection:
            tables = tables_of(connection, settings.schemas).values()
            return [_log_stream(table) if log_based else _stream(table) for table in tables]

    def read(
        self, configuration: Mapping[str, Any], stream: ConfiguredStream, state: Mapping[str, Any] | None
    ) -> Iterator[tuple[bytes, dict[str, Any] | None] | StreamState]:
        """One stream's records and, at its end, its state."""
        settings = configuration_of(configuration)
        stream = readable_alone(settings, stream)
        with connected(settings) as connection:
            table = table_for(connection, stream)
            selection = select(connection, table, stream, state, for_arrow=False)
            guarded = {
                name for name in stream.json_schema["properties"] if table.columns[name].kind in GUARDED
            }
            with connection.cursor().copy(_COPY.format(selection.query())) as lines:
                for line in _lines(lines):
                    yield _guarded(line, guarded)
        if selection.state is not None:
            yield StreamState(selection.state)


@dataclass(frozen=True)
class Selection:
    """What one read of a stream takes, and the state it reaches (None for a full read)."""

    values: sql.Composable
    table: sql.Identifier
    condition: sql.Composable
    state: Mapping[str, Any] | None

    def query(self, part: sql.Composable = _EVERY) -> sql.Composable:
        """The SELECT of those rows of it that meet a further condition."""
        template = sql.SQL("SELECT {} FROM {} WHERE {} AND {}")
        return template.format(self.values, self.table, self.condition, part)


def select(
    connection: psycopg.Connection[Any],
    table: Table,
    stream: ConfiguredStream,
    state: Mapping[str, Any] | None,
    *,
    for_arrow: bool,
) -> Selection:
    """What to read of a stream, from a state on if it is incremental.

    `for_arrow` gives what `direct` reads: after the values, which of the arrays that come as they are are NULL.
    """
    columns = [table.columns[name] for name in stream.json_schema.get("properties", {})]
    values = [column.value(for_arrow=for_arrow) for column in columns]
    if for_arrow:
        values += [column.absent for column in columns if column.absent]
    condition: sql.Composable = _EVERY
    reached = None
    if stream.incremental:
        bounds = window(connection, table, stream, state)
        condition, reached = bounds.condition, bounds.state
    return Selection(sql.SQL(", ").join(values), table.identifier, condition, reached)


def _stream(table: Table) -> dict[str, Any]:
    properties = {column.name: column.json_schema for column in table.columns.values()}
    return {
        "name": table.name,
        "namespace": table.schema,
        "json_schema": {"type": "object", "properties": properties},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": False,
        "default_cursor_field": [],
        "source_defined_primary_key": [[name] for name in table.primary_key],
    }


def _log_stream(table: Table) -> dict[str, Any]:
    """A table whose changes are read from the log, or that can only be read in full, as without a primary key in it."""
    stream = _stream(table)
    generated = {name for name, column in table.columns.items() if column.generated}
    keyed = table.primary_key and not generated & set(table.primary_key)
    if not keyed or not table.logged or why_not_followed(table) is not None:
        return stream | {"supported_sync_modes": ["full_refresh"]}
    for name in generated:
        del stream["json_schema"]["properties"][name]
    stream["json_schema"]["properties"] |= LOG_COLUMNS.schema
    return stream | {"source_defined_cursor": True, "default_cursor_field": [LSN]}


def _lines(copied: Any) -> Iterator[bytes]:
    for block in copied:
        yield bytes(block).rstrip(b"\n")


def _guarded(line: bytes, guarded: set[str]) -> tuple[bytes, dict[str, Any] | None]:
    if _SUSPECT.search(line) is None:
        return line, None
    record = msgspec.json.decode(line)
    changes = []
    for name in record:
        if name in guarded and isinstance(record[name], str) and _has_no_place(record[name]):
            record[name] = None
            changes.append({"field": name, "change": "NULLED", "reason": SERIALIZATION_ERROR})
    return msgspec.json.encode(record), {"changes": changes} if changes else None


def _has_no_place(text: str) -> bool:
    return _SUSPECT.search(f'"{text}"'.encode()) is not None
