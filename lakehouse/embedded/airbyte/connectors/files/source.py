"""source-files: Arrow batches for the worker, and the same rows as records over the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.coercion import Change, cast_strings
from lakehouse.embedded.airbyte.connectors.files import csv, parquet
from lakehouse.embedded.airbyte.connectors.files.configuration import (
    CsvFormat,
    FilesConfiguration,
    FileStream,
    configuration_of,
)
from lakehouse.embedded.airbyte.connectors.files.listing import (
    MODIFIED,
    URL,
    SourceFile,
    files_of,
    new_files,
    state_after,
)
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import AirbyteType, Column, Kind, json_schema_of

_INFERENCE_BYTES = 256 * 2**20  # of text, per stream: discovery looks no further


def read_direct(
    configuration: Mapping[str, Any], stream: ConfiguredStream, state: Mapping[str, Any] | None
) -> Iterator[LandingBatch | StreamState]:
    """One stream's batches, file by file, each file followed by the state it reaches."""
    settings = configuration_of(configuration)
    declared = settings.stream(stream.name)
    files = files_of(settings.directory, declared)
    if stream.incremental:
        files = new_files(files, state)
    else:
        state = None
    for file in files:
        yield from _file_batches(file, declared, stream)
        if not file.unchanged:
            raise ConnectorError(
                f"stream {stream.name}: {file.url} changed while it was read; sync again",
                kind="transient_error",
            )
        if stream.incremental:
            state = state_after(state, file)
            yield StreamState(state)
    if stream.incremental and not files and state is not None:
        yield StreamState(state)


def _file_batches(file: SourceFile, declared: FileStream, stream: ConfiguredStream) -> Iterator[LandingBatch]:
    columns = stream.columns
    wanted = [column.source for column in columns if column.source not in (MODIFIED, URL)]
    for name in wanted:
        if name not in _names(file.path, declared):
            raise ConnectorError(
                f"stream {stream.name}: column {name} is gone from file {file.url};"
                " refresh the connection's schema or deselect it",
                kind="config_error",
            )
    layout = declared.format
    convert: Callable[[pa.Array, AirbyteType], tuple[pa.Array, list[int]]]
    if isinstance(layout, CsvFormat):
        read, convert = csv.text_batches(file.path, layout, wanted), cast_strings
    else:
        read, convert = parquet.batches(file.path, wanted), parquet.converted
    for batch in read:
        changes: dict[int, list[Change]] = {}
        arrays = []
        for column in columns:
            if column.source in (MODIFIED, URL):
                value = file.modified if column.source == MODIFIED else file.url
                arrays.append(pa.repeat(pa.scalar(value, pa.string()), batch.num_rows))
                continue
            values = batch.column(column.source)
            array, refused = convert(values, column.type)
            for row in refused:
                changes.setdefault(row, []).append(Change(column.source, reason="SOURCE_SERIALIZATION_ERROR"))
            arrays.append(array)
        rows = pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])
        extracted_at = pa.repeat(pa.scalar(epoch_ms(), pa.int64()), batch.num_rows)
        yield LandingBatch(rows, extracted_at, changes, batch.nbytes)


def _names(path: Path, declared: FileStream) -> list[str]:
    if isinstance(declared.format, CsvFormat):
        return csv.header(path, declared.format)
    return list(parquet.kinds_of(path))


class FilesSource:
    """The four commands of the protocol for files."""

    def spec(self) -> dict[str, Any]:
        """The ConnectorSpecification."""
        return {
            "connectionSpecification": msgspec.json.schema(FilesConfiguration),
            "supportsIncremental": True,
        }

    def check(self, configuration: Mapping[str, Any]) -> None:
        """Finds the files of every stream and reads the header of one. Raises ConnectorError."""
        settings = configuration_of(configuration)
        for declared in settings.streams:
            names = _names(files_of(settings.directory, declared)[-1].path, declared)
            unknown = [name for name in (*declared.declared, *declared.primary_key) if name not in names]
            if unknown:
                raise ConnectorError(
                    f"stream {declared.name}: no column {unknown[0]}; the columns are {', '.join(names)}",
                    kind="config_error",
                )

    def discover(self, configuration: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Every declared stream as an AirbyteStream, its types inferred from all its values."""
        settings = configuration_of(configuration)
        self.check(configuration)
        return [_stream(declared, files_of(settings.directory, declared)) for declared in settings.streams]

    def read(
        self, configuration: Mapping[str, Any], stream: ConfiguredStream, state: Mapping[str, Any] | None
    ) -> Iterator[tuple[bytes, dict[str, Any] | None] | StreamState]:
        """One stream's records and states."""
        for item in read_direct(configuration, stream, state):
            if isinstance(item, StreamState):
                yield item
            else:
                yield from _records(item, stream.columns)


def _stream(declared: FileStream, files: list[SourceFile]) -> dict[str, Any]:
    kinds = _inferred(declared, files) | declared.declared
    properties = {name: json_schema_of(kind) for name, kind in kinds.items()}
    properties |= {MODIFIED: {"type": "string"}, URL: {"type": "string"}}
    return {
        "name": declared.name,
        "json_schema": {"type": "object", "properties": properties},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "default_cursor_field": [MODIFIED],
        "source_defined_primary_key": [[name] for name in declared.primary_key],
    }


def _inferred(declared: FileStream, files: list[SourceFile]) -> dict[str, Kind]:
    if not isinstance(declared.format, CsvFormat):
        return parquet.kinds_of(files[-1].path)
    columns = csv.header(files[-1].path, declared.format)
    inference = csv.TypeInference(columns, declared.format.inference_type)
    looked_at = 0
    for file in reversed(files):
        present = [name for name in csv.header(file.path, declared.format) if name in columns]
        for batch in csv.text_batches(file.path, declared.format, present):
            inference.look_at(batch)
            looked_at += batch.nbytes
            if looked_at >= _INFERENCE_BYTES:
                return inference.kinds()
    return inference.kinds()


def _records(
    batch: LandingBatch, columns: tuple[Column, ...]
) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    naive = {column.source for column in columns if column.type.kind is Kind.TIMESTAMP}
    textual = {column.source for column in columns if column.type.kind is Kind.JSON}
    renamed = batch.rows.rename_columns([column.source for column in columns])
    for row, values in enumerate(renamed.to_pylist()):
        for name in naive:
            values[name] = values[name] and values[name].replace(tzinfo=None)
        for name in textual:
            values[name] = values[name] and msgspec.Raw(values[name].encode())
        changes = [
            {"field": change.field, "change": change.change, "reason": change.reason}
            for change in batch.changes.get(row, ())
        ]
        yield msgspec.json.encode(values), {"changes": changes} if changes else None
