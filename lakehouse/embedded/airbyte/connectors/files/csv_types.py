"""CSV read straight into the types of a stream, which costs half of reading text that is converted afterwards.

The reader refuses a whole block for one bad value, or for a row that is longer than the block: from there on the
file is read as text. Both ways give the same values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from lakehouse.embedded.airbyte.connectors.files.csv import read, text_batches
from lakehouse.embedded.airbyte.connectors.files.formats import CsvFormat
from lakehouse.embedded.airbyte.connectors.files.listing import SourceFile
from lakehouse.embedded.airbyte.types import Column, Kind

_BLOCK = 2**20  # stays in the processor's cache
_BLOCK_OF_A_COLUMN = 2**14  # a column of few rows costs as much as one of many
_DIRECT = {
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.TIMESTAMP_TZ: pa.timestamp("us", "UTC"),
}


def batches(file: SourceFile, layout: CsvFormat, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    """The file's rows, the given columns: of their Arrow types, or as text or NULL where that is still to do.

    Raises ConnectorError naming the file.
    """
    done = 0
    block = max(_BLOCK, _BLOCK_OF_A_COLUMN * len(columns))
    try:
        for batch in read(file, layout, _conversion(layout, columns), block):
            if not _all_finite(batch):
                break
            yield _in_utc(batch)
            done += batch.num_rows
        else:
            return
    except pa.ArrowInvalid:
        pass  # as text, a value that is not of its type becomes NULL, with a change
    wanted = [column.source for column in columns]
    for batch in text_batches(file, layout, wanted, layout.null_values or ()):
        passed = min(done, batch.num_rows)
        done -= passed
        if passed < batch.num_rows:
            yield batch.slice(passed)


def _conversion(layout: CsvFormat, columns: Sequence[Column]) -> pacsv.ConvertOptions:
    """What the reader is told. Its NULLs are of all types alike: texts that are never NULL need no others."""
    true = _spellings(layout.true_values)
    nullable = layout.strings_can_be_null and bool(layout.null_values)
    return pacsv.ConvertOptions(
        column_types={column.source: _DIRECT.get(column.type.kind, pa.string()) for column in columns},
        include_columns=[column.source for column in columns],
        null_values=list(layout.null_values or ()) if nullable else [""],
        strings_can_be_null=nullable,
        true_values=true,
        false_values=[text for text in _spellings(layout.false_values) if text not in true],
    )


def _spellings(texts: Sequence[str]) -> list[str]:
    """The usual ones, of which the reader knows a text exactly as it is; others are read as text."""
    lower = [text for text in texts if text.isascii() and text and text == text.lower()]
    return list(dict.fromkeys(spelt for text in lower for spelt in (text, text.upper(), text.capitalize())))


def _all_finite(batch: pa.RecordBatch) -> bool:
    numbers = [column for column in batch.columns if column.type == pa.float64()]
    return all(pc.all(pc.is_finite(column)).as_py() is not False for column in numbers)


def _in_utc(batch: pa.RecordBatch) -> pa.RecordBatch:
    naive, utc = _DIRECT[Kind.TIMESTAMP], _DIRECT[Kind.TIMESTAMP_TZ]
    arrays = [column.cast(utc) if column.type == naive else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, batch.schema.names)
