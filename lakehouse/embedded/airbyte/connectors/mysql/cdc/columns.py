"""The columns that a log-based read of MySQL adds to a stream; names and types are source-mysql's own."""

from __future__ import annotations

from lakehouse.embedded.airbyte.connectors.log_columns import LogColumns
from lakehouse.embedded.airbyte.types import Kind, json_schema_of

CURSOR, LOG_FILE, LOG_POS = "_ab_cdc_cursor", "_ab_cdc_log_file", "_ab_cdc_log_pos"
UPDATED_AT, DELETED_AT = "_ab_cdc_updated_at", "_ab_cdc_deleted_at"
LOG_COLUMNS = LogColumns(
    {
        CURSOR: json_schema_of(Kind.INTEGER),
        LOG_FILE: json_schema_of(Kind.STRING),
        LOG_POS: json_schema_of(Kind.NUMBER),
        UPDATED_AT: json_schema_of(Kind.TIMESTAMP_TZ),
        DELETED_AT: json_schema_of(Kind.TIMESTAMP_TZ),
    },
    needed=(CURSOR, DELETED_AT),
)
