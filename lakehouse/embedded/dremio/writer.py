"""Rows to parquet data files of an Iceberg table, one partition a file.

pyiceberg's own writer filters the whole table once for each partition, which takes minutes for a year of days;
here the rows arrive sorted by partition and are cut.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    schema_to_pyarrow,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.locations import load_location_provider
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.typedef import Record
from pyiceberg.types import DateType, TimestampType

ROWS_PER_FILE = 1_000_000
_BYTES_PER_FILE = 128 * 1024 * 1024

Values = tuple[Any, ...]


class Writer:
    """Writes one attempt's files; `discard` removes them when it is known that the commit did not happen."""

    def __init__(self, io: FileIO, metadata: TableMetadata) -> None:
        self._io = io
        self._metadata = metadata
        self._attempt = uuid.uuid4().hex
        self._paths: list[str] = []
        self.rows = 0

    def write(self, batches: Iterable[pa.RecordBatch]) -> list[DataFile]:
        """Write all rows, or none; they must be sorted by the partition's source columns."""
        spec, schema = self._metadata.spec(), self._metadata.schema()
        try:
            return [self._file(values, rows) for values, rows in _cut(batches, spec, schema)]
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Delete what was written."""
        for path in self._paths:
            try:
                self._io.delete(path)
            except FileNotFoundError:
                continue

    def _file(self, values: Values, rows: pa.Table) -> DataFile:
        schema, properties, spec = self._metadata.schema(), self._metadata.properties, self._metadata.spec()
        record = Record(*values)
        provider = load_location_provider(self._metadata.location, properties)
        folder = f"{spec.partition_to_path(record, schema)}/" if spec.fields else ""
        location = provider.new_data_location(f"{folder}{self._attempt}-{len(self._paths):05d}.parquet")
        self._paths.append(location)
        arrow = schema_to_pyarrow(schema)
        sink = self._io.new_output(location)
        with (
            sink.create() as stream,
            pq.ParquetWriter(
                stream,
                arrow,
                compression=properties.get("write.parquet.compression-codec", "snappy"),
                data_page_size=int(properties.get("write.parquet.page-size-bytes", 1024 * 1024)),
                use_dictionary=True,
                write_statistics=True,
                store_schema=False,
            ) as parquet,
        ):
            parquet.write_table(rows.cast(arrow), row_group_size=ROWS_PER_FILE)
        self.rows += rows.num_rows
        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=parquet.writer.metadata,
            stats_columns=compute_statistics_plan(schema, properties),
            parquet_column_mapping=parquet_path_to_id_mapping(schema),
        )
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=location,
            file_format=FileFormat.PARQUET,
            partition=record,
            file_size_in_bytes=len(sink),
            sort_order_id=None,
            spec_id=self._metadata.default_spec_id,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )


def _cut(
    batches: Iterable[pa.RecordBatch], spec: PartitionSpec, schema: Schema
) -> Iterator[tuple[Values, pa.Table]]:
    collected: list[pa.RecordBatch] = []
    current: Values = ()
    for batch in batches:
        for values, rows in _runs(batch, spec, schema):
            full = sum(part.num_rows for part in collected) + rows.num_rows > ROWS_PER_FILE
            large = sum(part.nbytes for part in collected) > _BYTES_PER_FILE
            if collected and (values != current or full or large):
                yield current, pa.Table.from_batches(collected)
                collected = []
            current = values
            collected.append(rows)
    if collected:
        yield current, pa.Table.from_batches(collected)


def _runs(
    batch: pa.RecordBatch, spec: PartitionSpec, schema: Schema
) -> Iterator[tuple[Values, pa.RecordBatch]]:
    """Slices of equal partition values, in order."""
    if not spec.fields or not batch.num_rows:
        if batch.num_rows:
            yield (), batch
        return
    keys = [_partition_values(batch, field, schema) for field in spec.fields]
    rows = list(zip(*(key.to_pylist() for key in keys), strict=True))
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end] != rows[start]:
            yield rows[start], batch.slice(start, end - start)
            start = end


def _partition_values(batch: pa.RecordBatch, field: Any, schema: Schema) -> pa.Array:
    """Iceberg's representation: dates as days, timestamps as microseconds."""
    source = schema.find_field(field.source_id)
    values = field.transform.pyarrow_transform(source.field_type)(batch.column(source.name))
    result = field.transform.result_type(source.field_type)
    if pa.types.is_date(values.type) or isinstance(result, DateType):
        return values.cast(pa.int32())
    return values.cast(pa.int64()) if isinstance(result, TimestampType) else values
