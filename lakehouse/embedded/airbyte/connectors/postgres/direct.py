"""source-postgres without the protocol: Arrow batches straight from binary COPY (ADBC)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from adbc_driver_postgresql import dbapi

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.coercion import Change, coerce_column
from lakehouse.embedded.airbyte.connectors.postgres.cdc.columns import LOG_COLUMNS, readable_alone
from lakehouse.embedded.airbyte.connectors.postgres.configuration import PostgresConfiguration
from lakehouse.embedded.airbyte.connectors.postgres.projection import ABSENT
from lakehouse.embedded.airbyte.connectors.postgres.ranges import exported_snapshot, page_ranges
from lakehouse.embedded.airbyte.connectors.postgres.source import SERIALIZATION_ERROR, select
from lakehouse.embedded.airbyte.connectors.postgres.tables import (
    configuration_of,
    connected,
    connection_string,
    query_error,
    table_for,
)
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.read_ahead import read_ahead
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import SCALAR, AirbyteType, Column, Kind

_ARRAY_ERROR = "DESTINATION_SERIALIZATION_ERROR"
_DAY_US = 86_400_000_000
_FIRST, _END = date(1, 1, 1).toordinal(), date(9999, 12, 31).toordinal() + 1
_EPOCH = date(1970, 1, 1).toordinal()
_DAYS = (_FIRST - _EPOCH, _END - _EPOCH)


def read(
    configuration: Mapping[str, Any],
    stream: ConfiguredStream,
    state: Mapping[str, Any] | None,
    *,
    connections: int = 1,
) -> Iterator[LandingBatch | StreamState]:
    """One stream's batches and, at its end, its state; the same rows and values as the protocol path."""
    settings = configuration_of(configuration)
    plain = readable_alone(settings, stream)
    with ExitStack() as held:
        connection = held.enter_context(connected(settings))
        table = table_for(connection, plain)
        selection = select(connection, table, plain, state, for_arrow=True)
        parts = page_ranges(connection, table, connections)
        queries = [selection.query(part).as_string(connection) for part in parts]
        snapshot = None
        if len(parts) > 1:
            snapshot = held.enter_context(exported_snapshot(connection))
        else:
            held.close()
        for batch in read_queries(settings, queries, plain.columns, snapshot):
            yield batch if plain is stream else LOG_COLUMNS.added_to(batch, stream.columns, {})
    if selection.state is not None:
        yield StreamState(selection.state)


def read_queries(
    settings: PostgresConfiguration,
    queries: Sequence[str],
    columns: tuple[Column, ...],
    snapshot: str | None = None,
) -> Iterator[LandingBatch]:
    """The batches of queries made by `select`, all read at once, as of an exported snapshot if one is named."""
    readers = [_read_query(settings, query, columns, snapshot) for query in queries]
    return readers[0] if len(readers) == 1 else read_ahead(readers, threads=len(readers))


def _read_query(
    settings: PostgresConfiguration, query: str, columns: tuple[Column, ...], snapshot: str | None
) -> Iterator[LandingBatch]:
    try:
        with dbapi.connect(connection_string(settings)) as direct, direct.cursor() as cursor:
            if snapshot is not None:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            cursor.execute(query)
            for batch in cursor.fetch_record_batch():
                yield _landing_batch(batch, columns)
    except dbapi.Error as error:
        raise query_error(settings, error) from error


def _landing_batch(batch: pa.RecordBatch, columns: tuple[Column, ...]) -> LandingBatch:
    changes: dict[int, list[Change]] = {}
    arrays = []
    # After the values come the columns that say which arrays are NULL.
    for column, values in zip(columns, map(_stored, batch.columns), strict=False):
        if pa.types.is_list(values.type):
            array, refused = _native_arrays(values, batch[ABSENT + column.source], column.type)
            reason = _ARRAY_ERROR
        else:
            array, refused, reason = _converted(values, column)
        for row in refused:
            changes.setdefault(row, []).append(Change(column.source, reason=reason))
        arrays.append(array)
    rows = pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])
    return LandingBatch(
        rows, pa.repeat(pa.scalar(epoch_ms(), pa.int64()), batch.num_rows), changes, batch.nbytes
    )


def _converted(values: pa.Array, column: Column) -> tuple[pa.Array, list[int], str]:
    kind = column.type.kind
    if kind is Kind.ARRAY:
        return *_arrays(values, column.type), _ARRAY_ERROR
    placed = _placed(values, kind)
    if placed is not None and pc.all(placed).as_py() is False:
        refused = pc.indices_nonzero(pc.invert(pc.fill_null(placed, True))).to_pylist()
        values = pc.if_else(pc.fill_null(placed, True), values, pa.scalar(None, values.type))
    else:
        refused = []
    return values.cast(column.type.arrow), refused, SERIALIZATION_ERROR


def _stored(values: pa.Array) -> pa.Array:
    """JSON as the text that it is stored as."""
    return values.storage if isinstance(values, pa.ExtensionArray) else values


def _native_arrays(values: pa.Array, absent: pa.Array, declared: AirbyteType) -> tuple[pa.Array, list[int]]:
    """Lists as the database has them; nested ones have come as NULL."""
    refused = pc.indices_nonzero(pc.and_not(values.is_null(), absent)).to_pylist()
    return values.cast(declared.arrow), refused


def _arrays(texts: pa.Array, declared: AirbyteType) -> tuple[pa.Array, list[int]]:
    """JSON texts as lists: all at once where every element is of the declared type, else one by one."""
    if declared.item.kind in SCALAR:
        lines = pc.binary_join_element_wise('{"v":', pc.fill_null(texts.cast(pa.string()), "null"), "}", "")
        whole = pa.LargeListArray.from_arrays([0, len(lines)], lines)
        text = pc.binary_join(whole.cast(pa.list_(pa.string())), "\n")[0].as_buffer()
        parse = pj.ParseOptions(explicit_schema=pa.schema([("v", declared.arrow)]))
        options = pj.ReadOptions(use_threads=False, block_size=max(text.size + 1, 2**20))
        with contextlib.suppress(pa.ArrowInvalid):
            return pj.read_json(pa.BufferReader(text), options, parse)["v"].combine_chunks(), []
    decoded = [None if text is None else json.loads(text) for text in texts.to_pylist()]
    return coerce_column(decoded, declared)


def _placed(values: pa.Array, kind: Kind) -> pa.Array | None:
    """Which values have a place in Arrow and ISO 8601; None when all of the kind have."""
    if kind is Kind.NUMBER:
        return pc.is_finite(values)
    if kind is Kind.DATE:
        return _between(values.view(pa.int32()), *_DAYS)
    if kind in (Kind.TIMESTAMP, Kind.TIMESTAMP_TZ):
        return _between(values.view(pa.int64()), _DAYS[0] * _DAY_US, _DAYS[1] * _DAY_US)
    if kind in (Kind.TIME, Kind.TIME_TZ):
        return _between(values.view(pa.int64()), 0, _DAY_US)
    return None


def _between(values: pa.Array, lowest: int, end: int) -> pa.Array:
    return pc.and_(pc.greater_equal(values, lowest), pc.less(values, end))
