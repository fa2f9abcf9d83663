"""Arrow schemas between DuckDB, Iceberg and the wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from lakehouse.embedded.dremio.sql.model import SqlError


def stored_schema(schema: pa.Schema, names: tuple[str, ...]) -> pa.Schema:
    """What DuckDB gives, as Dremio's types for Iceberg: timestamps in microseconds without zone."""
    return pa.schema([pa.field(name, _stored(field.type)) for name, field in zip(names, schema, strict=True)])


def wire_schema(schema: pa.Schema, names: tuple[str, ...]) -> pa.Schema:
    """The same for clients: Dremio sends timestamps in milliseconds."""
    return pa.schema(
        [pa.field(name, _wire(_stored(field.type))) for name, field in zip(names, schema, strict=True)]
    )


def in_nanoseconds(schema: pa.Schema) -> pa.Schema:
    """The same with timestamps in nanoseconds, which end in the year 2262."""
    kinds = [pa.timestamp("ns") if pa.types.is_timestamp(field.type) else field.type for field in schema]
    return pa.schema([field.with_type(kind) for field, kind in zip(schema, kinds, strict=True)])


def cast_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Every batch under the schema's names and types, by position. Raises SqlError when a value does not fit."""
    for batch in batches:
        arrays = []
        for field, array in zip(schema, batch.columns, strict=True):
            try:
                # Only sub-millisecond digits may be lost, as they are in Dremio.
                arrays.append(array.cast(field.type, safe=not pa.types.is_timestamp(field.type)))
            except pa.ArrowInvalid as error:
                raise SqlError(f"column {field.name}: {error}") from None
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _stored(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if pa.types.is_integer(kind) and kind not in (pa.int32(), pa.int64()):
        return pa.int64() if kind.bit_width >= 32 else pa.int32()
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_time(kind):
        return pa.time64("us")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_stored(kind.value_type))
    if pa.types.is_dictionary(kind):
        return _stored(kind.value_type)
    return kind


def _wire(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ms")
    if pa.types.is_time(kind):
        return pa.time32("ms")
    return kind
