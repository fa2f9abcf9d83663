"""A page of a result as JSON values, and all of it as an Arrow stream."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
"""Numbers with all their digits, times as ISO 8601 text, NaN and infinities as null."""


class Column(msgspec.Struct):
    name: str
    type: str
    """Arrow's."""


def columns_of(schema: pa.Schema) -> list[Column]:
    return [Column(field.name, str(field.type)) for field in schema]


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """The rows; nanoseconds, which Python has not, become text, and binary values base64."""
    return list(zip(*(_values(column) for column in table.columns), strict=True))


def arrow_stream(table: pa.Table) -> bytes:
    """The Arrow IPC streaming format."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _values(column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return [None if value is None else b64encode(value).decode() for value in column.to_pylist()]
    return list(column.to_pylist())
