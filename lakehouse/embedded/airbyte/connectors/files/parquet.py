"""Parquet files of others as Airbyte types."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.embedded.airbyte.connectors.files.compression import unreadable
from lakehouse.embedded.airbyte.connectors.files.listing import SourceFile
from lakehouse.embedded.airbyte.types import AirbyteType, Kind


def kinds_of(file: SourceFile) -> dict[str, Kind]:
    """The kind of each column, in file order. Raises ConnectorError for a file that is no Parquet."""
    try:
        with file.open() as stream:
            schema = pq.read_schema(stream)
    except pa.ArrowInvalid as error:
        raise unreadable(file, error) from error
    return {field.name: _kind(field.type) for field in schema}


def batches(file: SourceFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The file's rows, the given columns."""
    try:
        with file.open() as stream, pq.ParquetFile(stream) as content:
            yield from content.iter_batches(columns=columns)
    except pa.ArrowInvalid as error:
        raise unreadable(file, error) from error


def converted(values: pa.Array, target: AirbyteType) -> tuple[pa.Array, list[int]]:
    """A Parquet column as its Airbyte type, and the rows whose value has no place in it."""
    if target.kind is Kind.JSON:
        texts = [
            None if v is None else json.dumps(v, default=str, ensure_ascii=False) for v in values.to_pylist()
        ]
        return pa.array(texts, pa.string()), []
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    result = values.cast(target.arrow, safe=not pa.types.is_temporal(values.type))
    if target.kind is Kind.NUMBER:
        finite = pc.fill_null(pc.is_finite(result), True)
        refused = pc.indices_nonzero(pc.invert(finite)).to_pylist()
        return pc.if_else(finite, result, pa.scalar(None, result.type)), refused
    return result, []


def _kind(of: pa.DataType) -> Kind:
    if pa.types.is_dictionary(of):
        return _kind(of.value_type)
    if pa.types.is_integer(of):
        return Kind.INTEGER
    if pa.types.is_floating(of) or pa.types.is_decimal(of):
        return Kind.NUMBER
    if pa.types.is_timestamp(of):
        return Kind.TIMESTAMP_TZ if of.tz else Kind.TIMESTAMP
    for matches, kind in (
        (pa.types.is_boolean, Kind.BOOLEAN),
        (pa.types.is_date, Kind.DATE),
        (pa.types.is_time, Kind.TIME),
        (pa.types.is_string, Kind.STRING),
        (pa.types.is_large_string, Kind.STRING),
    ):
        if matches(of):
            return kind
    return Kind.JSON
