"""Record messages of the protocol -> typed Arrow batches, as fast as pyarrow.json while values are good."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pyarrow as pa
import pyarrow.json as pj

from lakehouse.embedded.airbyte.coercion import Change, cast_strings, coerce_column
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import SCALAR, TEMPORAL, Column, Kind

BATCH_ROWS = 20_000
BATCH_BYTES = 16 * 2**20


@dataclass(frozen=True)
class LandingBatch:
    """Rows ready for landing: typed columns, when each was extracted (epoch ms) and what had to be nulled."""

    rows: pa.RecordBatch
    extracted_at: pa.Array
    changes: dict[int, list[Change]] = field(default_factory=dict)
    source_bytes: int = 0


class RecordBatcher:
    """Collects the records of one stream into batches of at most BATCH_ROWS rows or BATCH_BYTES bytes."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._columns = columns
        self._simple = [column for column in columns if _is_simple(column)]
        schema = pa.schema([pa.field(column.source, _json_type(column)) for column in self._simple])
        self._parse = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        self._clear()

    def _clear(self) -> None:
        self._lines: list[bytes] = []
        self._extracted_at: list[int] = []
        self._changes: dict[int, list[Change]] = {}
        self._bytes = 0

    def add(self, data: bytes, emitted_at: int, changes: list[Change]) -> bool:
        """Takes one record's `data` as JSON text; true when a batch is due."""
        if changes:
            self._changes[len(self._lines)] = list(changes)
        self._lines.append(data)
        self._extracted_at.append(emitted_at)
        self._bytes += len(data)
        return len(self._lines) >= BATCH_ROWS or self._bytes >= BATCH_BYTES

    def flush(self) -> LandingBatch | None:
        """The records taken since the last call, or None when there are none."""
        if not self._lines:
            return None
        arrays = self._simple_arrays() if self._simple else {}
        if len(arrays) < len(self._columns):
            pending = [column for column in self._columns if column.source not in arrays]
            arrays |= self._coerced_arrays(pending)
        rows = pa.RecordBatch.from_arrays(
            [arrays[column.source] for column in self._columns], [column.name for column in self._columns]
        )
        if not self._columns:
            rows = pa.RecordBatch.from_struct_array(pa.array([{}] * len(self._lines), pa.struct([])))
        batch = LandingBatch(rows, pa.array(self._extracted_at, pa.int64()), self._changes, self._bytes)
        self._clear()
        return batch

    def _simple_arrays(self) -> dict[str, pa.Array]:
        text = b"\n".join(self._lines)
        options = pj.ReadOptions(use_threads=False, block_size=max(len(text) + 1, 2**20))
        try:
            table = pj.read_json(pa.BufferReader(text), read_options=options, parse_options=self._parse)
        except pa.ArrowInvalid:
            return {}  # some value is not of its declared type: the exact path decides which
        arrays: dict[str, pa.Array] = {}
        for column in self._simple:
            parsed = table[column.source].combine_chunks()
            if column.type.kind in TEMPORAL:
                parsed, refused = cast_strings(parsed, column.type)
                self._record(column, refused)
            arrays[column.source] = parsed
        return arrays

    def _coerced_arrays(self, columns: list[Column]) -> dict[str, pa.Array]:
        decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        try:
            records = [decoder.decode(line) for line in self._lines]
        except msgspec.DecodeError as error:
            raise ConnectorError(f"the connector sent a record whose data is no object: {error}") from None
        arrays: dict[str, pa.Array] = {}
        for column in columns:
            values = [_decoded(record.get(column.source)) for record in records]
            arrays[column.source], refused = coerce_column(values, column.type)
            self._record(column, refused)
        return arrays

    def _record(self, column: Column, refused: list[int]) -> None:
        for row in refused:
            self._changes.setdefault(row, []).append(Change(column.source))


def _decoded(raw: msgspec.Raw | None) -> object:
    return None if raw is None else msgspec.json.decode(raw)


def _is_simple(column: Column) -> bool:
    if column.type.kind is Kind.ARRAY:
        return column.type.item.kind in SCALAR
    return column.type.kind in SCALAR or column.type.kind in TEMPORAL


def _json_type(column: Column) -> pa.DataType:
    return pa.string() if column.type.kind in TEMPORAL else column.type.arrow
