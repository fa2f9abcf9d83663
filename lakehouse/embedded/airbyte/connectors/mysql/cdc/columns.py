"""The columns that a log-based read adds to a stream, and the stream without them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column, Kind, json_schema_of

CURSOR, LOG_FILE, LOG_POS = "_ab_cdc_cursor", "_ab_cdc_log_file", "_ab_cdc_log_pos"
UPDATED_AT, DELETED_AT = "_ab_cdc_updated_at", "_ab_cdc_deleted_at"
SCHEMA: dict[str, dict[str, Any]] = {
    CURSOR: json_schema_of(Kind.INTEGER),
    LOG_FILE: json_schema_of(Kind.STRING),
    LOG_POS: json_schema_of(Kind.NUMBER),
    UPDATED_AT: json_schema_of(Kind.TIMESTAMP_TZ),
    DELETED_AT: json_schema_of(Kind.TIMESTAMP_TZ),
}
"""Names and types are source-mysql's own."""
_NEEDED = (CURSOR, DELETED_AT)


def without_log_columns(stream: ConfiguredStream) -> ConfiguredStream:
    """The stream as its table has it, to be read in full."""
    properties = stream.json_schema.get("properties", {})
    plain = {name: schema for name, schema in properties.items() if name not in SCHEMA}
    schema = {**stream.json_schema, "properties": plain}
    return replace(stream, json_schema=schema, sync_mode="full_refresh", cursor_field=())


def check_log_columns(stream: ConfiguredStream) -> None:
    """Raises ConnectorError when the stream lacks a column of the log that its merge needs."""
    for name in _NEEDED:
        if name not in stream.json_schema["properties"]:
            problem = f"stream {stream.name}: column {name} is not selected, and deletes and order need it"
            raise ConnectorError(f"{problem}; add it to selectedFields", kind="config_error")


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
    names = [column.name for column in columns]
    return replace(batch, rows=pa.RecordBatch.from_arrays(arrays, names))
