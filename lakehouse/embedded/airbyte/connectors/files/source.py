"""source-files: Arrow batches for the worker, and the same rows as records over the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pyarrow as pa

from lakehouse.embedded.airbyte.connectors.files.configuration import (
    FilesConfiguration,
    FileStream,
    configuration_of,
)
from lakehouse.embedded.airbyte.connectors.files.content import content_of, inferred, names_of
from lakehouse.embedded.airbyte.connectors.files.listing import (
    MODIFIED,
    URL,
    SourceFile,
    files_of,
    new_files,
    settled,
    state_after,
    unchanged,
)
from lakehouse.embedded.airbyte.connectors.files.storage import told
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column, Kind, json_schema_of


def read_direct(
    configuration: Mapping[str, Any],
    stream: ConfiguredStream,
    state: Mapping[str, Any] | None,
    *,
    connections: int = 1,  # noqa: ARG001 - files are read one by one, each followed by its state
) -> Iterator[LandingBatch | StreamState]:
    """One stream's batches, file by file, each file followed by the state it reaches."""
    settings = configuration_of(configuration)
    declared = settings.stream(stream.name)
    with told(settings.place):
        files = files_of(settings, settings.storage(), declared)
        if stream.incremental:
            files = settled(new_files(files, state, declared))
        else:
            files, state = _all_settled(files, declared), None
        for file in files:
            yield from _file_batches(file, declared, stream)
            if not unchanged(file):
                raise ConnectorError(
                    f"stream {stream.name}: {file.url} changed while it was read; sync again",
                    kind="transient_error",
                )
            if stream.incremental:
                state = state_after(state, file)
                yield StreamState(state)
        if stream.incremental and not files and state is not None:
            yield StreamState(state)


def _all_settled(files: list[SourceFile], declared: FileStream) -> list[SourceFile]:
    kept = settled(files)
    if len(kept) < len(files):
        growing = next(file.url for file in files if file not in kept)
        problem = f"stream {declared.name}: {growing} is being written; sync again"
        raise ConnectorError(problem, kind="transient_error")
    return kept


def _file_batches(file: SourceFile, declared: FileStream, stream: ConfiguredStream) -> Iterator[LandingBatch]:
    wanted = tuple(column for column in stream.columns if column.source not in (MODIFIED, URL))
    for batch in content_of(file, declared, wanted):
        fitting = _by_policy(file, declared, batch)
        values = {MODIFIED: file.modified, URL: file.url}
        arrays = dict(zip((column.name for column in wanted), fitting.rows.columns, strict=True))
        count = fitting.rows.num_rows
        for name, value in values.items():
            arrays[name] = pa.repeat(pa.scalar(value, pa.string()), count)
        names = [column.name for column in stream.columns]
        rows = pa.RecordBatch.from_arrays([arrays[name] for name in names], names)
        yield replace(fitting, rows=rows)


def _by_policy(file: SourceFile, declared: FileStream, batch: LandingBatch) -> LandingBatch:
    """The batch as the validation policy has it: values that do not fit are NULL, or their rows left out."""
    if not batch.changes or declared.validation_policy == "Emit Record":
        return batch
    if declared.validation_policy == "Wait for Discover":
        field = batch.changes[min(batch.changes)][0].field
        problem = f"stream {declared.name}: a value of {field} in {file.url} does not fit its type"
        raise ConnectorError(f"{problem}; refresh the connection's schema", kind="config_error")
    kept = pa.array([row not in batch.changes for row in range(batch.rows.num_rows)], pa.bool_())
    rows = batch.rows.filter(kept)
    return LandingBatch(rows, batch.extracted_at.filter(kept), {}, batch.source_bytes)


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
        with told(settings.place):
            for declared in settings.streams:
                names = names_of(files_of(settings, settings.storage(), declared)[-1], declared)
                unknown = [name for name in (*declared.declared, *declared.keys) if name not in names]
                if unknown:
                    raise ConnectorError(
                        f"stream {declared.name}: no column {unknown[0]}; the columns are {', '.join(names)}",
                        kind="config_error",
                    )

    def discover(self, configuration: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Every declared stream as an AirbyteStream, its types inferred from its files."""
        settings = configuration_of(configuration)
        self.check(configuration)
        with told(settings.place):
            return [
                _stream(declared, files_of(settings, settings.storage(), declared))
                for declared in settings.streams
            ]

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
    kinds = inferred(declared, files) | declared.declared
    properties = {name: json_schema_of(kind) for name, kind in kinds.items()}
    properties |= {MODIFIED: {"type": "string"}, URL: {"type": "string"}}
    return {
        "name": declared.name,
        "json_schema": {"type": "object", "properties": properties},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "default_cursor_field": [MODIFIED],
        "source_defined_primary_key": [[name] for name in declared.keys],
    }


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
