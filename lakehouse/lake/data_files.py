"""Rows sorted by day -> Parquet data files with Iceberg's statistics, written while DuckDB still computes."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    schema_to_pyarrow,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table.locations import load_location_provider
from pyiceberg.typedef import Record

from lakehouse.lake.periods import Granularity, Period, granularity_of, in_path, stored

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.table.metadata import TableMetadata

ROWS_PER_FILE = 1_000_000
"""One row group a file, as large as SPECIFICATION asks for."""
_BYTES_PER_FILE = 128 * 1024 * 1024
"""Arrow bytes at which a file is closed before it has all its rows, so that memory stays bounded."""
_WRITERS = 2
_NO_DAY = -(2**31)
_NUMBERS = {32: pa.int32(), 64: pa.int64()}  # of a DATE and of a TIMESTAMP


@dataclass
class DataFileWriter:
    """Writes the data files of one merge attempt; `discard` removes them when the attempt is given up.

    pyiceberg's own writer filters the whole table once for each partition, which takes minutes for a year of
    days; here the rows arrive sorted and are cut.
    """

    io: FileIO
    metadata: TableMetadata
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex)
    _paths: list[str] = field(default_factory=list)

    def write(self, batches: Iterator[pa.RecordBatch], day_column: str) -> list[DataFile]:
        """Write every row; `day_column` (sorted, not stored) says which partition a row is of."""
        written: deque[Future[DataFile]] = deque()
        done: list[DataFile] = []
        with ThreadPoolExecutor(_WRITERS) as writers:
            for day, rows in _cut(batches, day_column):
                written.append(writers.submit(self._write_file, day, rows))
                if len(written) > _WRITERS:
                    done.append(written.popleft().result())
            done += [future.result() for future in written]
        return done

    def discard(self) -> None:
        """Delete what was written; files that never came to be are passed over."""
        for path in self._paths:
            try:
                self.io.delete(path)
            except FileNotFoundError:
                continue

    def _write_file(self, day: Period | None, rows: pa.Table) -> DataFile:
        schema, properties = self.metadata.schema(), self.metadata.properties
        arrow_schema = schema_to_pyarrow(schema)
        location = self._location(day)
        sink = self.io.new_output(location)
        with (
            sink.create() as stream,
            pq.ParquetWriter(
                stream,
                arrow_schema,
                compression=properties.get("write.parquet.compression-codec", "snappy"),
                data_page_size=int(properties.get("write.parquet.page-size-bytes", 1024 * 1024)),
                use_dictionary=True,
                write_statistics=True,
                store_schema=False,
            ) as writer,
        ):
            writer.write_table(
                rows.select(arrow_schema.names).cast(arrow_schema), row_group_size=ROWS_PER_FILE
            )
        footer = writer.writer.metadata
        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=footer,
            stats_columns=compute_statistics_plan(schema, properties),
            parquet_column_mapping=parquet_path_to_id_mapping(schema),
        )
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=location,
            file_format=FileFormat.PARQUET,
            partition=self._partition(day),
            file_size_in_bytes=len(sink),
            sort_order_id=None,
            spec_id=self.metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )

    def _location(self, day: Period | None) -> str:
        provider = load_location_provider(self.metadata.location, self.metadata.properties)
        spec = self.metadata.spec()
        folder = f"{spec.fields[0].name}={in_path(day, self._granularity)}/" if spec.fields else ""
        location = provider.new_data_location(f"{folder}{self.attempt}-{len(self._paths):05d}.parquet")
        self._paths.append(location)
        return location

    def _partition(self, day: Period | None) -> Record:
        if not self.metadata.spec().fields:
            return Record()
        return Record(stored(day, self._granularity))

    @property
    def _granularity(self) -> Granularity:
        return granularity_of(self.metadata.spec().fields[0].transform) or "day"


def _cut(batches: Iterator[pa.RecordBatch], day_column: str) -> Iterator[tuple[Period | None, pa.Table]]:
    """Tables of one day each, of at most ROWS_PER_FILE rows, without the day column."""
    collected: list[pa.RecordBatch] = []
    current: Period | None = None
    count = size = 0
    for batch in batches:
        for day, rows in _runs(batch, day_column):
            if collected and (
                day != current or count + rows.num_rows > ROWS_PER_FILE or size > _BYTES_PER_FILE
            ):
                yield current, pa.Table.from_batches(collected)
                collected, count, size = [], 0, 0
            current = day
            collected.append(rows)
            count, size = count + rows.num_rows, size + rows.nbytes
    if collected:
        yield current, pa.Table.from_batches(collected)


def _runs(batch: pa.RecordBatch, day_column: str) -> Iterator[tuple[Period | None, pa.RecordBatch]]:
    import pyarrow.compute as pc

    position = batch.schema.get_field_index(day_column)
    days = batch.column(position)
    # run_end_encode tells nulls apart by the bytes under them, which DuckDB leaves as they come.
    encoded = pc.run_end_encode(pc.fill_null(days.cast(_NUMBERS[days.type.bit_width]), _NO_DAY))
    rows = batch.remove_column(position)
    start = 0
    for end in encoded.run_ends.to_pylist():
        yield days[start].as_py(), rows.slice(start, end - start)
        start = end
