"""The answer of a query as a table for people, CSV, JSON or Parquet."""

from __future__ import annotations

import io
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa

from lakehouse.errors import ConfigurationError

SHOWN_ROWS = 500

_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def write_answer(answer: pa.Table, format_name: str, output: Path | None) -> None:
    """Write the answer to a file, or to standard output.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    writer = {"table": _write_table, "csv": _write_csv, "json": _write_json, "parquet": _write_parquet}
    if output is None:
        writer[format_name](answer, sys.stdout.buffer)
        sys.stdout.flush()
        return
    try:
        with output.open("wb") as file:
            writer[format_name](answer, file)
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise ConfigurationError(problem, where=f"--output {output}") from None


def _rows(answer: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows as Python values; nanoseconds, which Python has not, become text."""
    return zip(*(_readable(column).to_pylist() for column in answer.columns), strict=True)


def _write_json(answer: pa.Table, file: BinaryIO) -> None:
    names = answer.column_names
    if twins := [name for name in names if names.count(name) > 1]:
        problem, remedy = f"two columns are named {twins[0]}", "give one another name with AS"
        raise ConfigurationError(problem, where="json", remedy=remedy)
    lines = (_encoder.encode(dict(zip(names, row, strict=True))) for row in _rows(answer))
    file.write(b"[" + b",\n".join(lines) + b"]\n")


def _write_csv(answer: pa.Table, file: BinaryIO) -> None:
    from pyarrow import csv

    for index, field in enumerate(answer.schema):
        column = answer.column(index)
        if pa.types.is_nested(field.type):
            texts = [
                None if value is None else _encoder.encode(value).decode() for value in column.to_pylist()
            ]
            answer = answer.set_column(index, field.name, pa.array(texts, pa.string()))
        elif _is_binary(field.type):
            texts = [None if value is None else b64encode(value).decode() for value in column.to_pylist()]
            answer = answer.set_column(index, field.name, pa.array(texts, pa.string()))
    csv.write_csv(answer, file)


def _write_parquet(answer: pa.Table, file: BinaryIO) -> None:
    from pyarrow import parquet

    # Written to memory first: Parquet wants to know its position, which a pipe has not.
    buffer = io.BytesIO()
    parquet.write_table(answer, buffer)
    file.write(buffer.getbuffer())


def _write_table(answer: pa.Table, file: BinaryIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for field in answer.schema:
        table.add_column(Text(field.name), justify="right" if _is_number(field.type) else "left")
    for row in _rows(answer.slice(0, SHOWN_ROWS)):
        table.add_row(*(Text(_shown(value)) for value in row))
    to_terminal = file is sys.stdout.buffer and sys.stdout.isatty()
    text = io.StringIO()
    width = None if to_terminal else max(200, 30 * answer.num_columns)
    Console(file=text, width=width, force_terminal=to_terminal).print(table)
    file.write(text.getvalue().encode())
    count = f"{answer.num_rows} row{'' if answer.num_rows == 1 else 's'}"
    note = f"; the first {SHOWN_ROWS} are shown, --format csv has all" if answer.num_rows > SHOWN_ROWS else ""
    file.write(f"({count}{note})\n".encode())


def _readable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.string())
    return column


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return _encoder.encode(value).decode() if isinstance(value, dict | list) else str(value)
