"""Parquet files of one stream: destination-s3's columns in its order, rolled at its file size."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.embedded.airbyte.landing.encoding import leaves_of, repeating_leaves
from lakehouse.embedded.airbyte.landing.paths import StreamPath
from lakehouse.embedded.airbyte.landing.target import GENERATION_KEY, LandingTarget
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column

FILE_BYTES = 200 * 2**20
ROW_GROUP_ROWS = 1_000_000
ROW_GROUP_BYTES = 64 * 2**20  # of Arrow memory: wide rows close a row group early, to bound memory
LONG_ROWS_BYTES = (
    32 * 2**20
)  # the same of rows longer than _LONG_ROW_BYTES, for which large groups gain nothing
_LONG_ROW_BYTES = 2**16
PAGE_BYTES = 2**20

_RAW_ID = "_airbyte_raw_id"
_CHANGE = pa.struct([("field", pa.string()), ("change", pa.string()), ("reason", pa.string())])
_META = pa.struct(
    [pa.field("sync_id", pa.int64()), pa.field("changes", pa.list_(pa.field("element", _CHANGE)))]
)


@dataclass(frozen=True)
class LandedFile:
    """A finished file, not yet visible: its key, rows and bytes."""

    key: str
    rows: int
    bytes: int


def landing_schema(columns: tuple[Column, ...]) -> pa.Schema:
    """The Parquet schema of a stream: Airbyte's four columns, then the fields, all nullable."""
    own = [
        pa.field(_RAW_ID, pa.string(), nullable=False),
        pa.field("_airbyte_extracted_at", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("_airbyte_meta", _META, nullable=False),
        pa.field("_airbyte_generation_id", pa.int64(), nullable=False),
    ]
    return pa.schema(own + [pa.field(column.name, column.type.arrow) for column in columns])


class StreamWriter:
    """Writes one stream's batches into files of at most about FILE_BYTES.

    `announce` is called with every key before anything is written for it.
    """

    def __init__(
        self,
        target: LandingTarget,
        path: StreamPath,
        columns: tuple[Column, ...],
        *,
        job_id: int,
        generation_id: int,
        codec: str = "SNAPPY",
        announce: Callable[[str], None] = lambda _key: None,
    ) -> None:
        self._target = target
        self._path = path
        self._announce = announce
        self._job_id = job_id
        self._generation_id = generation_id
        self._schema = landing_schema(columns)
        self._codecs = _codecs(self._schema, "NONE" if codec == "UNCOMPRESSED" else codec)
        self._part = 0
        self._open: tuple[str, Any, pq.ParquetWriter] | None = None
        self._rows_in_file = 0
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._pending_bytes = 0
        self._finished: list[LandedFile] = []

    def write(self, batch: LandingBatch) -> None:
        """Adds rows; they are on disk after the next `finish`."""
        landed = self._landed(batch)
        self._pending.append(landed)
        self._pending_rows += landed.num_rows
        self._pending_bytes += landed.nbytes
        long = self._pending_bytes > self._pending_rows * _LONG_ROW_BYTES
        most = LONG_ROWS_BYTES if long else ROW_GROUP_BYTES
        if self._pending_rows >= ROW_GROUP_ROWS or self._pending_bytes >= most:
            self._write_row_group()

    @property
    def buffered_bytes(self) -> int:
        """Memory of the rows that are in no file yet."""
        return self._pending_bytes

    def spill(self) -> None:
        """Writes buffered rows into the open file."""
        self._write_row_group()

    def begin_file(self) -> None:
        """Opens a file, which then is there even if no row follows."""
        self._file(self._schema.empty_table())

    def begin_generation(self, generation_id: int) -> None:
        """Rows written from here on belong to another generation, so to another file."""
        self._write_row_group()
        self._close_file()
        self._generation_id = generation_id

    def finish(self) -> list[LandedFile]:
        """Closes what is open and returns the files finished since the last call."""
        self._write_row_group()
        self._close_file()
        finished, self._finished = self._finished, []
        return finished

    def _landed(self, batch: LandingBatch) -> pa.RecordBatch:
        count = batch.rows.num_rows
        own = [
            raw_ids(count),
            batch.extracted_at.cast(pa.timestamp("ms", "UTC")),
            self._meta(count, batch),
            pa.repeat(pa.scalar(self._generation_id, pa.int64()), count),
        ]
        fields = [self._schema.field(len(own) + index) for index in range(batch.rows.num_columns)]
        typed = [
            column if column.type == expected.type else column.cast(expected.type)
            for column, expected in zip(batch.rows.columns, fields, strict=True)
        ]
        return pa.RecordBatch.from_arrays(own + typed, schema=self._schema)

    def _meta(self, count: int, batch: LandingBatch) -> pa.StructArray:
        sync_ids = pa.repeat(pa.scalar(self._job_id, pa.int64()), count)
        if batch.changes:
            changes = [
                [
                    {"field": c.field, "change": c.change, "reason": c.reason}
                    for c in batch.changes.get(row, ())
                ]
                for row in range(count)
            ]
            listed = pa.array(changes, _META.field("changes").type)
        else:
            empty = pa.array([], _CHANGE)
            listed = pa.ListArray.from_arrays(
                pa.repeat(pa.scalar(0, pa.int32()), count + 1), empty, type=_META.field("changes").type
            )
        return pa.StructArray.from_arrays([sync_ids, listed], fields=list(_META))

    def _write_row_group(self) -> None:
        if not self._pending:
            return
        table = pa.Table.from_batches(self._pending, self._schema)
        _, _, writer = self._file(table)
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self._rows_in_file += table.num_rows
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        if self._open is not None and self._open[1].tell() >= FILE_BYTES:
            self._close_file()

    def _file(self, first: pa.Table) -> tuple[str, Any, pq.ParquetWriter]:
        """The open file; else one that fits the rows which it begins with."""
        if self._open is None:
            key = self._path.key(self._part)
            self._announce(key)
            generation = str(self._generation_id)
            sink = self._target.open(self._job_id, key, {GENERATION_KEY: generation})
            writer = pq.ParquetWriter(
                sink,
                self._schema,
                compression=self._codecs,
                data_page_size=PAGE_BYTES,
                use_dictionary=repeating_leaves(first.drop_columns(_RAW_ID)),
                write_statistics=True,
                store_schema=False,
            )
            writer.add_key_value_metadata({GENERATION_KEY: generation})
            self._open = (key, sink, writer)
        return self._open

    def _close_file(self) -> None:
        if self._open is None:
            return
        key, sink, writer = self._open
        writer.close()
        size = sink.tell()
        sink.close()
        self._finished.append(LandedFile(key, self._rows_in_file, size))
        self._open, self._rows_in_file, self._part = None, 0, self._part + 1


def _codecs(schema: pa.Schema, codec: str) -> dict[str, str]:
    """The codec of each leaf: identifiers are random, and packing them costs a fifth of the writing for nothing."""
    leaves = [leaf for field in schema for leaf in leaves_of(field.name, field.type)]
    return dict.fromkeys(leaves, codec) | {_RAW_ID: "NONE"}


def raw_ids(count: int) -> pa.Array:
    """`count` random version-4 UUIDs as text, column-wise: an object a row would cost more than the rest."""
    chunks = [_uuid_texts(min(_UUID_CHUNK, count - start)) for start in range(0, count, _UUID_CHUNK)]
    data = pa.py_buffer(b"".join(chunks))
    return pa.StringArray.from_buffers(count, _uuid_offsets(count), data)


_UUID_CHUNK = 8192  # stays in the processor's cache: larger pieces take twice as long


def _uuid_texts(count: int) -> bytearray:
    digits = os.urandom(16 * count).hex().encode()
    text = bytearray(b"-" * (36 * count))
    places = [place for place in range(36) if place not in (8, 13, 18, 23)]
    for position, place in enumerate(places):
        text[place::36] = digits[position::32]
    text[14::36] = b"4" * count
    text[19::36] = b"a" * count
    return text


@lru_cache(maxsize=4)
def _uuid_offsets(count: int) -> pa.Buffer:
    steps = pa.concat_arrays([pa.array([0], pa.int32()), pa.repeat(pa.scalar(36, pa.int32()), count)])
    return pc.cumulative_sum(steps).buffers()[1]
