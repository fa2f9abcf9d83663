"""source-mysql over the protocol: the records of the same batches that the worker takes directly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import msgspec
import pyarrow as pa

from lakehouse.embedded.airbyte.connectors.mysql import direct
from lakehouse.embedded.airbyte.connectors.mysql.cdc.columns import CURSOR, LOG_COLUMNS
from lakehouse.embedded.airbyte.connectors.mysql.cdc.events import check_readable
from lakehouse.embedded.airbyte.connectors.mysql.configuration import (
    Cdc,
    MysqlConfiguration,
    configuration_of,
)
from lakehouse.embedded.airbyte.connectors.mysql.sessions import connected
from lakehouse.embedded.airbyte.connectors.mysql.tables import Table, tables_of
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column, Kind


class MysqlSource:
    """The four commands of the protocol for MySQL and MariaDB."""

    def spec(self) -> dict[str, Any]:
        """The ConnectorSpecification."""
        return {
            "documentationUrl": "https://docs.airbyte.com/integrations/sources/mysql",
            "connectionSpecification": msgspec.json.schema(MysqlConfiguration),
            "supportsIncremental": True,
        }

    def check(self, configuration: Mapping[str, Any]) -> None:
        """Connects and asks for at least one readable table. Raises ConnectorError."""
        settings = configuration_of(configuration)
        with connected(settings) as session:
            if isinstance(settings.replication_method, Cdc):
                check_readable(session, settings)
            if not tables_of(session, settings):
                raise ConnectorError(
                    f"MySQL {settings.address}: user {settings.username} can read no table;"
                    " grant SELECT or correct `database`",
                    kind="config_error",
                )

    def discover(self, configuration: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Every readable table and view as an AirbyteStream."""
        settings = configuration_of(configuration)
        log_based = isinstance(settings.replication_method, Cdc)
        with connected(settings) as session:
            tables = tables_of(session, settings).values()
            return [_log_stream(table) if log_based else _stream(table) for table in tables]

    def read(
        self, configuration: Mapping[str, Any], stream: ConfiguredStream, state: Mapping[str, Any] | None
    ) -> Iterator[tuple[bytes, dict[str, Any] | None] | StreamState]:
        """One stream's records and, at its end, its state."""
        for item in direct.read(configuration, stream, state):
            if isinstance(item, StreamState):
                yield item
            else:
                yield from _records(item, stream.columns)


def _stream(table: Table) -> dict[str, Any]:
    properties = {column.name: column.json_schema for column in table.columns.values()}
    return {
        "name": table.name,
        "namespace": table.database,
        "json_schema": {"type": "object", "properties": properties},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": False,
        "default_cursor_field": [],
        "source_defined_primary_key": [[name] for name in table.primary_key],
    }


def _log_stream(table: Table) -> dict[str, Any]:
    """A table whose changes are read from the log; without a primary key it can only be read in full."""
    stream = _stream(table)
    if not table.primary_key or not table.logged:
        return stream | {"supported_sync_modes": ["full_refresh"]}
    stream["json_schema"]["properties"] |= LOG_COLUMNS.schema
    return stream | {"source_defined_cursor": True, "default_cursor_field": [CURSOR]}


def _records(
    batch: LandingBatch, columns: tuple[Column, ...]
) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    """The rows as JSON text, and what of each had to become NULL."""
    names = [column.source for column in columns]
    values = [_printable(array, column) for array, column in zip(batch.rows.columns, columns, strict=True)]
    encode = msgspec.json.Encoder().encode
    for position, row in enumerate(zip(*values, strict=True) if values else [()] * batch.rows.num_rows):
        changes = [asdict(change) for change in batch.changes.get(position, ())]
        yield encode(dict(zip(names, row, strict=True))), {"changes": changes} if changes else None


def _printable(array: pa.Array, column: Column) -> list[Any]:
    """Moments are ISO 8601, with an offset only where the type has one; everything else is JSON already."""
    values = array.to_pylist()
    form = _FORMS.get(column.type.kind)
    return values if form is None else [None if value is None else form(value) for value in values]


_FORMS: dict[Kind, Callable[[Any], str]] = {
    Kind.DATE: lambda value: value.isoformat(),
    Kind.TIME: lambda value: value.isoformat(),
    Kind.TIMESTAMP: lambda value: value.replace(tzinfo=None).isoformat(),
    Kind.TIMESTAMP_TZ: lambda value: value.isoformat(),
}
