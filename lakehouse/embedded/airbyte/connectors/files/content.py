"""What files hold, whatever their format: the names of columns, their types, and their rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pyarrow as pa

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.coercion import Change, cast_strings
from lakehouse.embedded.airbyte.connectors.files import csv, csv_types, excel, jsonl, parquet
from lakehouse.embedded.airbyte.connectors.files.configuration import FileStream
from lakehouse.embedded.airbyte.connectors.files.formats import CsvFormat, ExcelFormat, JsonlFormat
from lakehouse.embedded.airbyte.connectors.files.listing import SourceFile
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import AirbyteType, Column, Kind

logger = logging.getLogger(__name__)

_INFERENCE_BYTES = 256 * 2**20  # of a stream: discovery looks no further, and at every file alike
_LEAST_BYTES = 2**16
_Convert = Callable[[pa.Array, AirbyteType], tuple[pa.Array, list[int]]]


def names_of(file: SourceFile, declared: FileStream) -> list[str]:
    """The columns of a file."""
    if isinstance(declared.format, CsvFormat):
        return csv.header(file, declared.format)
    if isinstance(declared.format, JsonlFormat):
        return list(jsonl.kinds_of(file, _LEAST_BYTES))
    if isinstance(declared.format, ExcelFormat):
        return excel.header(file)
    return list(parquet.kinds_of(file))


def inferred(declared: FileStream, files: list[SourceFile]) -> dict[str, Kind]:
    """The columns of all the files, and the narrowest kind that holds their values.

    The same files give the same answer whenever each of them was written.
    """
    recent = declared.recent_n_files_to_read_for_schema_discovery
    chosen = sorted(files[-recent:] if recent else files, key=lambda file: file.url)
    share = max(_INFERENCE_BYTES // len(chosen), _LEAST_BYTES)
    layout = declared.format
    if isinstance(layout, CsvFormat):
        return _csv_kinds(chosen, layout, share)
    seen: dict[str, set[Kind]] = {}
    for file in chosen:
        if isinstance(layout, JsonlFormat):
            kinds = jsonl.kinds_of(file, share)
        elif isinstance(layout, ExcelFormat):
            kinds = excel.kinds_of(file)
        else:
            kinds = {name: {kind} for name, kind in parquet.kinds_of(file).items()}
        for name, found in kinds.items():
            seen.setdefault(name, set()).update(found)
    widest = excel.widest if isinstance(layout, ExcelFormat) else jsonl.widest
    return {name: widest(kinds) for name, kinds in seen.items()}


def _csv_kinds(files: list[SourceFile], layout: CsvFormat, share: int) -> dict[str, Kind]:
    columns = list(dict.fromkeys(name for file in files for name in csv.header(file, layout)))
    inference = csv.TypeInference(columns, layout.inference_type or "None")
    for file in files:
        read = 0
        for batch in csv.text_batches(file, layout, csv.header(file, layout), layout.null_values or ()):
            inference.look_at(batch)
            read += batch.nbytes
            if read >= share:
                break
    return inference.kinds()


def content_of(file: SourceFile, declared: FileStream, columns: tuple[Column, ...]) -> Iterator[LandingBatch]:
    """The file's rows, the given columns; one that the file does not have is NULL, and the log says so."""
    layout = declared.format
    if isinstance(layout, JsonlFormat):
        yield from jsonl.batches(file, columns)
        return
    present = set(names_of(file, declared))
    missing = [column.source for column in columns if column.source not in present]
    lost = [name for name in declared.keys if name in missing]
    if lost or (missing and len(missing) == len(columns)):
        problem = f"stream {declared.name}: column {(lost or missing)[0]} is gone from file {file.url}"
        raise ConnectorError(
            f"{problem}; refresh the connection's schema or deselect it", kind="config_error"
        )
    if missing:
        logger.warning("stream %s: %s has no column %s", declared.name, file.url, ", ".join(missing))
    wanted = [column.source for column in columns if column.source in present]
    convert: _Convert = cast_strings
    if isinstance(layout, CsvFormat):
        read = csv_types.batches(file, layout, [column for column in columns if column.source in present])

        def convert(values: pa.Array, target: AirbyteType) -> tuple[pa.Array, list[int]]:
            return (values, []) if values.type == target.arrow else csv.cast(values, target, layout)
    elif isinstance(layout, ExcelFormat):
        read = excel.text_batches(file, wanted)
    else:
        read, convert = parquet.batches(file, wanted), parquet.converted
    for batch in read:
        yield _typed(batch, columns, convert)


def _typed(batch: pa.RecordBatch, columns: tuple[Column, ...], convert: _Convert) -> LandingBatch:
    changes: dict[int, list[Change]] = {}
    arrays = []
    present = dict(zip(batch.schema.names, batch.columns, strict=True))
    for column in columns:
        if column.source not in present:
            arrays.append(pa.nulls(batch.num_rows, column.type.arrow))
            continue
        array, refused = convert(present[column.source], column.type)
        for row in refused:
            changes.setdefault(row, []).append(Change(column.source, reason="SOURCE_SERIALIZATION_ERROR"))
        arrays.append(array)
    rows = pa.RecordBatch.from_arrays(arrays, [column.name for column in columns])
    extracted_at = pa.repeat(pa.scalar(epoch_ms(), pa.int64()), batch.num_rows)
    return LandingBatch(rows, extracted_at, changes, batch.nbytes)
