"""The metadata that Dagster's pages know: table name, columns, place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg

from lakehouse.catalog.datasets import Column, Relation

CHANGED = "lakehouse/changed_rows"
"""On landing and bronze events, and on those of days that a model left as they were: 0 means that nothing downstream
has to run because of this event."""
SNAPSHOT = "lakehouse/snapshot_id"
"""On bronze events: the Iceberg snapshot that the event tells of."""


def table_metadata(relation: Relation | None, columns: Iterable[Column]) -> dict[str, Any]:
    """`dagster/table_name` and `dagster/column_schema`, as far as they are declared."""
    metadata: dict[str, Any] = {}
    if relation is not None:
        metadata["dagster/table_name"] = str(relation)
    schema = [
        dg.TableColumn(column.name, column.type or "unknown", description=column.description or None)
        for column in columns
    ]
    if schema:
        metadata["dagster/column_schema"] = dg.TableSchema(columns=schema)
    return metadata
