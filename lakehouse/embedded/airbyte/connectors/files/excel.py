"""Excel workbooks: the first sheet, whose first row names the columns.

python-calamine, as in Airbyte's own file-based connectors: it reads xls, xlsx, xlsb and ods, many times faster
than openpyxl, which reads xlsx only.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa

from lakehouse.embedded.airbyte.connectors.files.compression import unreadable
from lakehouse.embedded.airbyte.connectors.files.listing import SourceFile
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import Kind

_BATCH_ROWS = 50_000


def header(file: SourceFile) -> list[str]:
    """The column names. Raises ConnectorError for a sheet whose first row is no header."""
    names = [str(cell) for cell in next(_rows(file), [])]
    if not names or "" in names or len(set(names)) < len(names):
        raise ConnectorError(f"{file.url}: its first row must name every column once, it is {names}")
    return names


def kinds_of(file: SourceFile) -> dict[str, set[Kind]]:
    """The kinds of cells that each column has."""
    names = header(file)
    seen: dict[str, set[Kind]] = {name: set() for name in names}
    for row in _data(file):
        for name, cell in zip(names, row, strict=False):
            if cell != "":
                seen[name].add(_kind(cell))
    return seen


def widest(kinds: set[Kind]) -> Kind:
    """The kind that holds cells of all these kinds; text when they have nothing in common."""
    if kinds and kinds <= {Kind.INTEGER, Kind.NUMBER}:
        return Kind.NUMBER if Kind.NUMBER in kinds else Kind.INTEGER
    if kinds == {Kind.DATE, Kind.TIMESTAMP}:
        return Kind.TIMESTAMP
    return next(iter(kinds)) if len(kinds) == 1 else Kind.STRING


def text_batches(file: SourceFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The sheet's rows, the given columns, as text or NULL."""
    places = [header(file).index(name) for name in columns]
    rows: list[list[str | None]] = []
    for row in _data(file):
        rows.append([_text(row[place]) for place in places])
        if len(rows) >= _BATCH_ROWS:
            yield _batch(rows, columns)
            rows = []
    if rows:
        yield _batch(rows, columns)


def _batch(rows: list[list[str | None]], columns: list[str]) -> pa.RecordBatch:
    arrays = [pa.array(list(values), pa.string()) for values in zip(*rows, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, columns)


def _data(file: SourceFile) -> Iterator[list[Any]]:
    rows = _rows(file)
    next(rows, None)
    return (row for row in rows if any(cell != "" for cell in row))


def _rows(file: SourceFile) -> Iterator[list[Any]]:
    from python_calamine import CalamineError, CalamineWorkbook

    with file.open() as stream:
        try:
            yield from CalamineWorkbook.from_filelike(stream).get_sheet_by_index(0).to_python()
        except CalamineError as error:
            raise unreadable(file, error) from error


def _kind(cell: Any) -> Kind:
    if isinstance(cell, bool):
        return Kind.BOOLEAN
    if isinstance(cell, int | float):
        return Kind.INTEGER if float(cell).is_integer() else Kind.NUMBER
    if isinstance(cell, datetime):
        return Kind.TIMESTAMP
    if isinstance(cell, date):
        return Kind.DATE
    return Kind.TIME if isinstance(cell, time) else Kind.STRING


def _text(cell: Any) -> str | None:
    if cell == "":
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
