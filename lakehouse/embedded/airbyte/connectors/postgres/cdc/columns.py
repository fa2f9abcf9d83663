"""The columns that a log-based read adds to a stream, and the stream without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from lakehouse.embedded.airbyte.connectors.postgres.configuration import Cdc, PostgresConfiguration
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column

LSN, UPDATED_AT, DELETED_AT = "_ab_cdc_lsn", "_ab_cdc_updated_at", "_ab_cdc_deleted_at"
SCHEMA: dict[str, dict[str, Any]] = {
    LSN: {"type": "number"},
    UPDATED_AT: {"type": "string"},
    DELETED_AT: {"type": "string"},
}
"""Names and types are source-postgres' own."""


def without_log_columns(stream: ConfiguredStream) -> ConfiguredStream:
    """The stream as its table has it, to be read in full."""
    fields = stream.json_schema.get("properties", {})
    properties = {name: field for name, field in fields.items() if name not in SCHEMA}
    schema = {**stream.json_schema, "properties": properties}
    return replace(stream, json_schema=schema, sync_mode="full_refresh", cursor_field=())


def with_log_columns(
    batch: LandingBatch, columns: tuple[Column, ...], constants: Mapping[str, Any]
) -> LandingBatch:
    """A batch of the table's columns with the log's among them: of one value each, NULL where none is given."""
    rows = batch.rows
    arrays = [
        pa.repeat(pa.scalar(constants.get(column.source), column.type.arrow), rows.num_rows)
        if column.source in SCHEMA
        else rows.column(column.name)
        for column in columns
    ]
    return replace(batch, rows=pa.RecordBatch.from_arrays(arrays, [column.name for column in columns]))


def require_log_columns(stream: ConfiguredStream) -> None:
    """Raises ConnectorError when a column is not selected without which changes cannot be told apart."""
    for name in SCHEMA:
        if name not in stream.json_schema["properties"]:
            problem = f"stream {stream.name}: column {name} is not selected, and deletes and order need it"
            raise ConnectorError(f"{problem}; add it to selectedFields", kind="config_error")


def readable_alone(settings: PostgresConfiguration, stream: ConfiguredStream) -> ConfiguredStream:
    """A stream as it is read by itself. Raises ConnectorError for one whose changes are in the log."""
    if not isinstance(settings.replication_method, Cdc):
        return stream
    if stream.incremental:
        problem = f"stream {stream.name}: with replication_method CDC the server reads the log by itself"
        raise ConnectorError(f"{problem}, not stream by stream over the protocol", kind="config_error")
    return without_log_columns(stream)
