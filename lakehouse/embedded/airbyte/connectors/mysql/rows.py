"""The rows of a query as Arrow batches, streamed from the server in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pymysql.cursors import SSCursor

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.coercion import Change
from lakehouse.embedded.airbyte.connectors.mysql.cursor import window
from lakehouse.embedded.airbyte.connectors.mysql.sessions import Session
from lakehouse.embedded.airbyte.connectors.mysql.tables import Table
from lakehouse.embedded.airbyte.connectors.mysql.values import SERIALIZATION_ERROR, typed
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column

BATCH_ROWS = 10_000
BATCH_BYTES = 16 * 2**20
_BATCH_VALUES = 500_000  # each is an object, which takes more memory than a short text

SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"


def select(
    session: Session, table: Table, stream: ConfiguredStream, state: Mapping[str, Any] | None
) -> tuple[str, Sequence[str], Mapping[str, Any] | None]:
    """The query of one read of a stream with its arguments, and the state it reaches (None for a full read)."""
    names = stream.json_schema.get("properties", {})
    values = ", ".join(table.columns[name].expression for name in names) or "NULL"
    query = f"SELECT {values} FROM {table.identifier}"  # noqa: S608  quoted names
    if not stream.incremental:
        return query, (), None
    bounds = window(session, table, stream, state)
    return f"{query} WHERE {bounds.condition}", bounds.arguments, bounds.state


def read_batches(
    session: Session, query: str, arguments: Sequence[str], table: Table, columns: tuple[Column, ...]
) -> Iterator[LandingBatch]:
    """The batches of a query made by `select`."""
    most_rows = min(BATCH_ROWS, max(_BATCH_VALUES // max(len(columns), 1), 1))
    with session.cursor(SSCursor) as cursor:
        cursor.execute(query, arguments or None)
        waiting: list[tuple[Any, ...]] = []
        size = 0
        for row in cursor:  # one by one: a few rows may be all that fits in memory
            waiting.append(row)
            size += sum(len(value) for value in row if value is not None)
            if len(waiting) >= most_rows or size >= BATCH_BYTES:
                yield _landing_batch(waiting, size, table, columns)
                waiting, size = [], 0
        if waiting:
            yield _landing_batch(waiting, size, table, columns)


def _landing_batch(
    rows: list[tuple[Any, ...]], size: int, table: Table, columns: tuple[Column, ...]
) -> LandingBatch:
    changes: dict[int, list[Change]] = {}
    arrays = []
    for column, values in zip(columns, zip(*rows, strict=True), strict=False):
        array, refused = typed(values, table.columns[column.source], column.type)
        for row in refused:
            changes.setdefault(row, []).append(Change(column.source, reason=SERIALIZATION_ERROR))
        arrays.append(array)
    batch = pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])
    if not columns:
        batch = pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
    now = pa.repeat(pa.scalar(epoch_ms(), pa.int64()), len(rows))
    return LandingBatch(batch, now, changes, size)
