"""The columns that a log-based read of Postgres adds to a stream; names and types are source-postgres' own."""

from __future__ import annotations

from lakehouse.embedded.airbyte.connectors.log_columns import LogColumns
from lakehouse.embedded.airbyte.connectors.postgres.configuration import Cdc, PostgresConfiguration
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import Kind, json_schema_of

LSN, UPDATED_AT, DELETED_AT = "_ab_cdc_lsn", "_ab_cdc_updated_at", "_ab_cdc_deleted_at"
LOG_COLUMNS = LogColumns(
    {
        LSN: json_schema_of(Kind.NUMBER),
        UPDATED_AT: json_schema_of(Kind.STRING),
        DELETED_AT: json_schema_of(Kind.STRING),
    },
    needed=(LSN, DELETED_AT),
)


def readable_alone(settings: PostgresConfiguration, stream: ConfiguredStream) -> ConfiguredStream:
    """A stream as it is read by itself. Raises ConnectorError for one whose changes are in the log."""
    if not isinstance(settings.replication_method, Cdc):
        return stream
    if stream.incremental:
        problem = f"stream {stream.name}: with replication_method CDC the server reads the log by itself"
        raise ConnectorError(f"{problem}, not stream by stream over the protocol", kind="config_error")
    return LOG_COLUMNS.taken_from(stream)
