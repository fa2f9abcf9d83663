"""The columns that a log-based read adds to a stream, and the stream without them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError

LSN, UPDATED_AT, DELETED_AT = "_ab_cdc_lsn", "_ab_cdc_updated_at", "_ab_cdc_deleted_at"
SCHEMA: dict[str, dict[str, Any]] = {
    LSN: {"type": "number"},
    UPDATED_AT: {"type": "string"},
    DELETED_AT: {"type": "string"},
}
"""Names and types are source-postgres' own."""


def without_log_columns(stream: ConfiguredStream) -> ConfiguredStream:
    """The stream as its table has it. Raises ConnectorError when it lacks a column of the log."""
    properties = dict(stream.json_schema["properties"])
    for name in SCHEMA:
        if properties.pop(name, None) is None:
            problem = f"stream {stream.name}: column {name} is not selected, and deletes and order need it"
            raise ConnectorError(f"{problem}; add it to selectedFields", kind="config_error")
    schema = {**stream.json_schema, "properties": properties}
    return replace(stream, json_schema=schema, sync_mode="full_refresh", cursor_field=())
