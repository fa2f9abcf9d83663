"""CSV read straight into types gives what reading text and converting it afterwards gives, however ugly the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from lakehouse.embedded.airbyte.coercion import Change
from lakehouse.embedded.airbyte.connectors.files import csv, csv_types
from lakehouse.embedded.airbyte.connectors.files.configuration import FileStream
from lakehouse.embedded.airbyte.connectors.files.content import content_of
from lakehouse.embedded.airbyte.connectors.files.formats import CsvFormat
from lakehouse.embedded.airbyte.connectors.files.listing import SourceFile
from lakehouse.embedded.airbyte.connectors.files.storage import Directory
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.types import AirbyteType, Column, Kind

GOOD = {
    Kind.INTEGER: "7",
    Kind.NUMBER: "2.5",
    Kind.BOOLEAN: "true",
    Kind.DATE: "2024-02-29",
    Kind.TIME: "10:00:00",
    Kind.TIME_TZ: "10:00:00Z",
    Kind.TIMESTAMP: "2024-01-01 10:00:00",
    Kind.TIMESTAMP_TZ: "2024-01-01T10:00:00Z",
    Kind.STRING: "text",
    Kind.JSON: "[1]",
}
UGLY = [
    "", " ", "  ", "\t", " 7", "7 ", "\t7\t", "\u00a07", "+1", "-0", "00501", "0x10", "-0x10", "0b1", "1_000", "1e5",
    "1.", ".5", "1,5", "1.0", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e400",
    "1e-400", "inf", "-Infinity", " inf", "NaN", "nan", "NULL", "NA", " NA", "true", "TRUE", "tRuE", " true", "yes",
    "Y", "on", "0", "1", "2", "ja", "JA", "nein", "2024-02-30", "2024-01-01", " 2024-01-01 ", "20240101",
    "2024-1-1", "0000-01-01", "10000-01-01", "1500-01-01", "2024-01-01 10:00", "2024-01-01 10",
    "2024-01-01T24:00:00", "2024-01-01 10:00:60", " 2024-01-01 10:00:00", "2024-01-01T10:00:00.123456",
    "2024-01-01T10:00:00.123456789", "2024-01-01T10:00:00+02:00", "2024-01-01 10:00:00+02",
    "2024-01-01T10:00:00-0530", "2024-01-01T10:00:00.5Z", "2024-01-01 10:00:00 Z", "10:00", "25:00:00", "10:00:00+02",
    'say ""hi""', "two\nlines", "two\r\nlines", "é", "١", "\u200b1",
]  # fmt: skip
WORDS = [
    "",
    " ",
    " 7",
    "7",
    "inf",
    "nan",
    "NULL",
    "NA",
    " NA",
    "TRUE",
    "tRuE",
    " true",
    "y",
    "Y",
    "1",
    "JA",
    "nein",
]
PLAIN: dict[str, Any] = {"null_values": [""]}
LAYOUTS: list[dict[str, Any]] = [
    PLAIN,
    {},
    {"null_values": ["", "NULL", "NA", "7"]},
    {"null_values": ["NA"]},
    {"null_values": ["", "NA"], "strings_can_be_null": False},
    PLAIN | {"true_values": ["true", "ja", "Y", "", "1"], "false_values": ["nein", "1", "y"]},
]
KINDS = tuple(Column(kind.value, kind.value, AirbyteType(kind)) for kind in GOOD)


def stream(layout: dict[str, Any]) -> FileStream:
    declared = {"name": "s", "globs": ["*"], "format": {"filetype": "csv", **layout}}
    return msgspec.convert(declared, FileStream)


def csv_format(declared: FileStream) -> CsvFormat:
    assert isinstance(declared.format, CsvFormat)
    return declared.format


def written(tmp_path: Path, text: str | bytes) -> SourceFile:
    (tmp_path / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    directory = Directory(tmp_path)
    (found,) = directory.list()
    return SourceFile(directory, found)


Outcome = tuple[list[pa.Array], dict[int, list[Change]]] | str


def directly(file: SourceFile, declared: FileStream, columns: tuple[Column, ...]) -> Outcome:
    """The columns and changes as the stream has them, or its error."""
    schema = pa.schema([(column.name, column.type.arrow) for column in columns])
    batches, changes, before = [], {}, 0
    try:
        for batch in content_of(file, declared, columns):
            batches.append(batch.rows)
            changes |= {before + row: change for row, change in batch.changes.items()}
            before += batch.rows.num_rows
    except ConnectorError as error:
        return str(error)
    return [column.combine_chunks() for column in pa.Table.from_batches(batches, schema).columns], changes


def as_text(file: SourceFile, declared: FileStream, columns: tuple[Column, ...]) -> Outcome:
    """The same by way of text alone."""
    layout = csv_format(declared)
    names = [column.source for column in columns]
    try:
        read = csv.text_batches(file, layout, names, layout.null_values or ())
        texts = pa.Table.from_batches(list(read), pa.schema([(name, pa.string()) for name in names]))
    except ConnectorError as error:
        return str(error)
    arrays, changes = [], {}
    for column in columns:
        array, refused = csv.cast(texts[column.source].combine_chunks(), column.type, layout)
        arrays.append(array)
        for row in refused:
            change = Change(column.source, reason="SOURCE_SERIALIZATION_ERROR")
            changes.setdefault(row, []).append(change)
    return arrays, changes


def same(one: Outcome, other: Outcome) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return one[1] == other[1] and all(a.equals(b) for a, b in zip(one[0], other[0], strict=True))


DIRECT = (*list(GOOD)[:4], Kind.TIMESTAMP, Kind.TIMESTAMP_TZ, Kind.STRING)


@pytest.mark.parametrize("kind", DIRECT, ids=lambda kind: kind.value)
def test_an_ugly_value_is_read_as_by_way_of_text(tmp_path: Path, kind: Kind) -> None:
    column = Column("x", "x", AirbyteType(kind))
    other = Column("k", "k", AirbyteType(Kind.INTEGER))
    unquoted = [(PLAIN, value) for value in UGLY if not set(value) & set('\n,"')]
    quoted = [(PLAIN, f'"{value}"') for value in UGLY if set(value) & set('\n,"')]
    words = [(layout, cell) for layout in LAYOUTS for value in WORDS for cell in (value, f'"{value}"')]
    for layout, cell in unquoted + quoted + words:
        file = written(tmp_path, f"x,k\n{GOOD[kind]},1\n{cell},2\n,3\n{GOOD[kind]},4\n")
        direct, text = (how(file, stream(layout), (column, other)) for how in (directly, as_text))
        assert same(direct, text), (layout, cell, direct, text)


LINES = [
    "1,2.5,true,2024-01-01 10:00:00,a",
    '2,,FALSE,2024-01-01,"b, ""c"""',
    ',"3",,,',
    '4,1e3,"true",,"x\ny"',
]
FILES: list[tuple[dict[str, Any], bytes]] = [
    ({}, b"\xef\xbb\xbf" + "\n".join(["i,n,b,t,s", *LINES]).encode()),
    ({}, "\r\n".join(["i,n,b,t,s", *LINES, ""]).encode()),
    ({}, "\n".join(["i,n,b,t,s", *LINES, "5,1", ""]).encode()),
    ({}, "\n".join(["i,n,b,t,s", *LINES, "5,1,true,2024-01-01,a,b", ""]).encode()),
    ({}, "\n".join(["i,n,b,t,s", *LINES, '5,1,true,2024-01-01,"open', ""]).encode()),
    ({}, "\n".join(["i,n,b,t,s", "", *LINES, "", ""]).encode()),
    ({}, b"i,n,b,t,s\n1,1,true,,caf\xe9\n"),
    ({}, b"i,n,b,t,s\n\xe9,1,true,,a\n"),
    ({"encoding": "latin-1"}, b"i,n,b,t,s\n1,1,true,,caf\xe9\n\xe9,1,true,,a\n"),
    ({"encoding": "utf-16"}, "\n".join(["i,n,b,t,s", *LINES]).encode("utf-16")),
    ({"quote_char": "'", "delimiter": ";"}, b"i;n;b;t;s\n'1';'1.5';'true';'';'a;b'\n"),
    ({"escape_char": "\\", "double_quote": False}, b'i,n,b,t,s\n"1",1\\.5,true,,"say \\"hi\\""\n'),
    ({}, b"i,n,b,t,s\n"),
]


@pytest.mark.parametrize(("layout", "content"), FILES)
def test_an_ugly_file_is_read_as_by_way_of_text(
    tmp_path: Path, layout: dict[str, Any], content: bytes
) -> None:
    kinds = zip("inbts", (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP, Kind.STRING), strict=True)
    columns = tuple(Column(name, name, AirbyteType(kind)) for name, kind in kinds)
    file, declared = written(tmp_path, content), stream(PLAIN | layout)
    direct, text = (how(file, declared, columns) for how in (directly, as_text))
    assert same(direct, text), (direct, text)


def test_what_fits_its_types_never_is_text(tmp_path: Path) -> None:
    names, values = ",".join(column.source for column in KINDS), ",".join(GOOD.values())
    file = written(tmp_path, f"{names}\n{values}\n{',' * (len(KINDS) - 1)}\n")
    (batch,) = csv_types.batches(file, csv_format(stream(PLAIN)), KINDS)
    texts = {
        name
        for name, type_ in zip(batch.schema.names, batch.schema.types, strict=True)
        if type_ == pa.string()
    }
    assert texts == {"string", "json", "time_without_timezone", "time_with_timezone"}


@pytest.mark.parametrize("bad", ["seven", "inf"])
def test_a_bad_value_far_into_a_file_loses_and_repeats_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.setattr(csv_types, "_BLOCK", 500)
    monkeypatch.setattr(csv_types, "_BLOCK_OF_A_COLUMN", 0)
    monkeypatch.setattr(csv, "_TEXT_BLOCK", 800)
    numbers = [str(number) for number in range(1000)]
    numbers[777] = bad
    file, declared = written(tmp_path, "x\n" + "\n".join(numbers)), stream(PLAIN)
    column = Column("x", "x", AirbyteType(Kind.NUMBER))
    read = list(csv_types.batches(file, csv_format(declared), (column,)))
    assert read[0].schema.types == [pa.float64()]
    assert read[-1].schema.types == [pa.string()]
    direct = directly(file, declared, (column,))
    assert not isinstance(direct, str)
    assert direct[0][0].to_pylist() == [None if place == 777 else place for place in range(1000)]
    assert direct[1] == {777: [Change("x", reason="SOURCE_SERIALIZATION_ERROR")]}


def test_rows_of_megabytes_are_read_and_longer_ones_refused(tmp_path: Path) -> None:
    column = Column("x", "x", AirbyteType(Kind.STRING))
    file, declared = written(tmp_path, "x\n" + f"{'é' * 2**20}\n" * 20), stream(PLAIN)
    direct = directly(file, declared, (column,))
    assert not isinstance(direct, str)
    assert direct[0][0].to_pylist() == ["é" * 2**20] * 20
    file = written(tmp_path, 'x\n"' + "never closed\n" * 2**21)
    refusal = (
        r"a\.csv: a row is longer than 8 MiB, the most that is read; a quote that is never closed makes one"
    )
    with pytest.raises(ConnectorError, match=refusal):
        list(content_of(file, declared, (column,)))
