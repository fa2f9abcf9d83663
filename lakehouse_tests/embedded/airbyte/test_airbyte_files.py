"""source-files: CSV in its variants, stable types, new files only, and clear errors."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.embedded.airbyte.coercion import Change
from lakehouse.embedded.airbyte.connectors.files.configuration import FileStream, configuration_of
from lakehouse.embedded.airbyte.connectors.files.formats import CsvFormat
from lakehouse.embedded.airbyte.connectors.files.listing import (
    HISTORY_FILES,
    MODIFIED,
    URL,
    SourceFile,
    new_files,
    state_after,
)
from lakehouse.embedded.airbyte.connectors.files.source import FilesSource, read_direct
from lakehouse.embedded.airbyte.connectors.files.storage import Directory, Found
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch, RecordBatcher


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Directory, "settles", 0.0)


State = Mapping[str, Any] | None


def settings(
    root: Path, globs: str = "*", format_: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    layout = {"filetype": "csv", **(format_ or {})}
    return {"root": str(root), "streams": [{"name": "s", "globs": [globs], "format": layout, **more}]}


def properties(configuration: dict[str, Any]) -> dict[str, Any]:
    (stream,) = FilesSource().discover(configuration)
    found = dict(stream["json_schema"]["properties"])
    assert (found.pop(MODIFIED), found.pop(URL)) == ({"type": "string"}, {"type": "string"})
    return found


def configured(configuration: dict[str, Any], sync_mode: str = "incremental") -> ConfiguredStream:
    (stream,) = FilesSource().discover(configuration)
    return ConfiguredStream.from_json({"stream": stream, "sync_mode": sync_mode})


def outcome(
    configuration: dict[str, Any], stream: ConfiguredStream, state: State = None
) -> tuple[list[Any], State]:
    rows: list[dict[str, Any]] = []
    for item in read_direct(configuration, stream, state):
        if isinstance(item, StreamState):
            state = item.state
        else:
            rows += item.rows.to_pylist()
    return rows, state


def values(configuration: dict[str, Any]) -> list[dict[str, Any]]:
    rows, _ = outcome(configuration, configured(configuration))
    return [{name: value for name, value in row.items() if name not in (MODIFIED, URL)} for row in rows]


INTEGER, NUMBER, STRING = (
    {"type": "number", "airbyte_type": "integer"},
    {"type": "number"},
    {"type": "string"},
)


@pytest.mark.parametrize(
    ("column", "declared"),
    [
        (["1", "-2", ""], INTEGER),
        (["1", "2.5"], NUMBER),
        (["00501", "10001"], STRING),
        (["12345678901234567890"], STRING),
        (["true", "False"], {"type": "boolean"}),
        (["1", "true"], STRING),
        (["2024-01-01", "2024-02-29"], {"type": "string", "format": "date"}),
        (["2024-01-01", "2024-02-30"], STRING),
        (
            ["2024-01-01T00:00:00Z"],
            {"type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone"},
        ),
        (
            ["2024-01-01 00:00:00"],
            {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
        ),
        (["", ""], STRING),
        (["inf", "1"], STRING),
    ],
)
def test_a_column_has_the_narrowest_type_that_loses_nothing(
    tmp_path: Path, column: list[str], declared: dict[str, Any]
) -> None:
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{value},k\n" for value in column))
    assert properties(settings(tmp_path)) == {"x": declared, "y": STRING}


def test_types_can_be_declared_and_inference_turned_off(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2024-01-01\n")
    assert properties(settings(tmp_path, input_schema={"x": "string"}))["x"] == STRING
    assert properties(settings(tmp_path, input_schema='{"x": "number"}'))["x"] == NUMBER
    assert properties(settings(tmp_path, format_={"inference_type": "None"})) == {"x": STRING, "y": STRING}
    primitive = settings(tmp_path, format_={"inference_type": "Primitive Types Only"})
    assert properties(primitive) == {"x": INTEGER, "y": STRING}


def test_gzip_zip_and_plain_read_the_same(tmp_path: Path) -> None:
    text = "id,name\n1,a\n2,b\n"
    plain, gzipped, zipped = (tmp_path / name for name in ("a", "b", "c"))
    for folder in (plain, gzipped, zipped):
        folder.mkdir()
    (plain / "f.csv").write_text(text)
    (gzipped / "f.csv.gz").write_bytes(gzip.compress(text.encode()))
    with zipfile.ZipFile(zipped / "f.csv.zip", "w") as archive:
        archive.writestr("inner.csv", text)
    expected = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    assert values(settings(plain)) == values(settings(gzipped)) == values(settings(zipped)) == expected


def test_a_zip_archive_of_two_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
        archive.writestr("b.csv", "x\n1\n")
    with pytest.raises(ConnectorError, match=r"f\.zip: a zip archive must hold one file, this one holds 2"):
        FilesSource().check(settings(tmp_path))


def test_the_layout_of_a_file_can_be_declared(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("José;'a;b'\nNA;\n".encode("latin-1"))
    layout = {
        "delimiter": ";", "quote_char": "'", "encoding": "latin-1", "null_values": ["", "NA"],
        "header_definition": {"header_definition_type": "User Provided", "column_names": ["name", "note"]},
    }  # fmt: skip
    assert values(settings(tmp_path, format_=layout)) == [
        {"name": "José", "note": "a;b"},
        {"name": None, "note": None},
    ]


def test_quoted_line_breaks_a_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfid,note\r\n1,"two\nlines"\r\n2,"say ""hi"""\r\n')
    assert values(settings(tmp_path)) == [{"id": 1, "note": "two\nlines"}, {"id": 2, "note": 'say "hi"'}]


def test_a_wrong_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("name\nJosé\n".encode("latin-1"))
    with pytest.raises(ConnectorError) as caught:
        FilesSource().discover(settings(tmp_path))
    assert str(caught.value).startswith("a.csv: ")
    assert "\n" not in str(caught.value)
    assert "encoding" in str(caught.value)


def test_a_row_of_another_length_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3\n")
    with pytest.raises(ConnectorError, match=r"a\.csv: .*Expected 2 columns, got 1"):
        FilesSource().discover(settings(tmp_path))


@pytest.mark.parametrize("text", ["", "x,x\n1,2\n", "x,\n1,2\n"])
def test_a_header_that_names_no_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ConnectorError, match=r"a\.csv: its first line must name every column once"):
        FilesSource().check(settings(tmp_path))


def test_only_new_and_changed_files_are_read_again(tmp_path: Path) -> None:
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text("x\n1\n")
    second.write_text("x\n2\n")
    os.utime(first, (1_700_000_000, 1_700_000_000))
    os.utime(second, (1_700_000_001, 1_700_000_001))
    configuration = settings(tmp_path)
    stream = configured(configuration)
    rows, state = outcome(configuration, stream)
    assert [(row["x"], row[URL], row[MODIFIED]) for row in rows] == [
        (1, "1.csv", "2023-11-14T22:13:20.000000Z"),
        (2, "2.csv", "2023-11-14T22:13:21.000000Z"),
    ]
    assert state == {
        "history": {"1.csv": "2023-11-14T22:13:20.000000Z", "2.csv": "2023-11-14T22:13:21.000000Z"},
        MODIFIED: "2023-11-14T22:13:21.000000Z_2.csv",
    }
    assert outcome(configuration, stream, state) == ([], state)
    (tmp_path / "3.csv").write_text("x\n3\n")
    first.write_text("x\n10\n")
    rows, state = outcome(configuration, stream, state)
    assert sorted(row["x"] for row in rows) == [3, 10]
    assert outcome(configuration, stream, state)[0] == []


def test_a_full_refresh_reads_everything_whatever_the_state(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x\n1\n")
    configuration = settings(tmp_path)
    _, state = outcome(configuration, configured(configuration))
    rows, _ = outcome(configuration, configured(configuration, "full_refresh"), state)
    assert [row["x"] for row in rows] == [1]


def test_a_value_that_does_not_fit_later_becomes_null_with_a_change(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,y\n1,a\n")
    configuration = settings(tmp_path)
    stream = configured(configuration)
    (tmp_path / "1.csv").write_text("x,y\n7,a\nseven,b\n")
    (batch,) = [item for item in read_direct(configuration, stream, None) if isinstance(item, LandingBatch)]
    assert batch.rows["x"].to_pylist() == [7, None]
    assert batch.rows["y"].to_pylist() == ["a", "b"]
    assert batch.changes == {1: [Change("x", reason="SOURCE_SERIALIZATION_ERROR")]}


def test_a_column_that_has_gone_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("x,y\n1,a\n")
    configuration = settings(tmp_path)
    stream = configured(configuration)
    (tmp_path / "1.csv").write_text("z\n1\n")
    with pytest.raises(ConnectorError, match=r"stream s: column x is gone from file 1\.csv"):
        list(read_direct(configuration, stream, None))


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "i": pa.array([1, None], pa.int32()),
            "f": pa.array([float("nan"), 1.5]),
            "dec": pa.array([None, None], pa.decimal128(10, 2)),
            "ns": pa.array([1_700_000_000_000_000_001, None], pa.timestamp("ns")),
            "text": pa.array(["a", "b"]).dictionary_encode(),
            "nested": pa.array([[{"a": 1}], None]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    configuration = settings(tmp_path, format_={"filetype": "parquet"})
    first, second = values(configuration)
    assert (first["i"], first["f"], first["text"], first["nested"]) == (1, None, "a", '[{"a": 1}]')
    assert first["ns"].isoformat() == "2023-11-14T22:13:20+00:00"
    assert (second["f"], second["nested"]) == (1.5, None)


def test_both_paths_give_the_same_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "i,f,b,d,tz,ts,s\n1,1.5,true,2024-01-01,2024-01-01T00:00:00Z,2024-01-01 00:00:00,é\n,,,,,,\n"
    )
    configuration = settings(tmp_path)
    stream = configured(configuration)
    (direct,) = [item for item in read_direct(configuration, stream, None) if isinstance(item, LandingBatch)]
    batcher = RecordBatcher(stream.columns)
    for item in FilesSource().read(configuration, stream, None):
        if not isinstance(item, StreamState):
            batcher.add(bytes(item[0]), 1, [])
    protocol = batcher.flush()
    assert protocol is not None
    assert protocol.rows.equals(direct.rows)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"root": "gs://bucket/x"},
            "root gs://bucket/x: give an absolute path, or a URL of file, s3, sftp or ftp",
        ),
        ({"root": "/no/such/place"}, "root /no/such/place: no such directory"),
        ({"streams": []}, "at `$.streams`"),
        ({"stream": []}, "unknown field `stream`"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(ConnectorError) as caught:
        FilesSource().check(settings(tmp_path) | change)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"globs": "*.parquet"}, r"stream s: no file matches \*\.parquet"),
        ({"input_schema": {"x": "text"}}, "stream s: input_schema: unknown type 'text'"),
        ({"input_schema": {"z": "string"}}, "stream s: no column z; the columns are x"),
        ({"primary_key": ["z"]}, "stream s: no column z"),
        ({"format_": {"encoding": "utf-17"}}, "stream s: unknown encoding utf-17"),
    ],
)
def test_a_wrong_stream_is_refused_by_name(tmp_path: Path, more: dict[str, Any], problem: str) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(ConnectorError, match=problem):
        FilesSource().check(settings(tmp_path, **more))


def test_the_specification_is_a_json_schema() -> None:
    specification = FilesSource().spec()["connectionSpecification"]
    assert "FilesConfiguration" in msgspec.json.encode(specification).decode()


def test_json_lines_keep_their_types_and_a_bad_value_becomes_null(tmp_path: Path) -> None:
    lines = '{"i": 1, "n": 1.5, "s": "a", "o": {"k": [1]}}\n\n{"i": 2, "n": 2, "b": true, "s": null}\n'
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    configuration = settings(tmp_path, format_={"filetype": "jsonl"})
    stream = configured(configuration)
    kinds = {column.source: column.type.kind.value for column in stream.columns[:-2]}
    assert kinds == {"i": "integer", "n": "number", "s": "string", "o": "json", "b": "boolean"}
    assert values(configuration) == [
        {"i": 1, "n": 1.5, "s": "a", "o": '{"k":[1]}', "b": None},
        {"i": 2, "n": 2.0, "s": None, "o": None, "b": True},
    ]
    (tmp_path / "b.jsonl").write_text('{"i": "three", "n": 3}\n')
    batches = [item for item in read_direct(configuration, stream, None) if isinstance(item, LandingBatch)]
    assert batches[-1].rows["i"].to_pylist() == [None]
    assert [change.field for change in batches[-1].changes[0]] == ["i"]


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"i": 1}\n[2]\n')
    with pytest.raises(ConnectorError, match=r"a\.jsonl: line 2 is no JSON object"):
        FilesSource().discover(settings(tmp_path, format_={"filetype": "jsonl"}))


def test_excel_has_the_types_of_its_cells(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (
        ["id", "code", "price", "day", "at", "ok"],
        [1, "00501", 2.5, dt.date(2024, 2, 29), dt.datetime(2024, 1, 1, 12, 30), True],
        [2, "123", 3, None, None, False],
    ):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    configuration = settings(tmp_path, format_={"filetype": "excel"})
    first, second = values(configuration)
    assert (first["id"], first["code"], first["price"], first["day"], first["ok"]) == (
        1, "00501", 2.5, dt.date(2024, 2, 29), True,
    )  # fmt: skip
    assert first["at"].isoformat() == "2024-01-01T12:30:00+00:00"
    assert (second["code"], second["price"], second["day"]) == ("123", 3.0, None)


def test_the_schema_is_that_of_all_files_whichever_is_newest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,z\n1.5,text\n")
    schemas = []
    for order in (("a", "b"), ("b", "a")):
        for moment, name in enumerate(order):
            os.utime(tmp_path / f"{name}.csv", (1_700_000_000 + moment,) * 2)
        schemas.append(list(properties(settings(tmp_path)).items()))
    assert schemas[0] == schemas[1] == [("x", NUMBER), ("y", INTEGER), ("z", STRING)]
    rows = sorted(values(settings(tmp_path)), key=lambda row: row["x"])
    assert rows == [{"x": 1.0, "y": 2, "z": None}, {"x": 1.5, "y": None, "z": "text"}]


@pytest.mark.parametrize(
    ("policy", "left"), [("Emit Record", [1, None]), ("Skip Record", [1]), ("Wait for Discover", None)]
)
def test_the_validation_policy_decides_about_rows_that_do_not_fit(
    tmp_path: Path, policy: str, left: list[int | None] | None
) -> None:
    (tmp_path / "a.csv").write_text("x\n1\ntwo\n")
    configuration = settings(tmp_path, input_schema='{"x": "integer"}', validation_policy=policy)
    if left is None:
        with pytest.raises(ConnectorError, match=r"a value of x in a\.csv does not fit its type; refresh"):
            values(configuration)
    else:
        assert [row["x"] for row in values(configuration)] == left


def test_a_full_history_forgets_its_oldest_file_and_reads_late_ones_within_the_days() -> None:
    stream = FileStream(name="s", format=CsvFormat())
    now = dt.datetime.now(dt.UTC)

    def file(url: str, age_days: float) -> SourceFile:
        moment = now - dt.timedelta(days=age_days)
        return SourceFile(Directory(Path("/")), Found(url, moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), 1))

    history = {f"{age:05}": file("", 1 + age / 86400).modified for age in range(HISTORY_FILES)}
    state = {"history": history}
    late, lost, newer = file("late", 2.9), file("lost", 3.1), file("newer", 0)
    assert new_files([late, lost, newer], state, stream) == [late, newer]
    after = state_after(state, newer)
    assert len(after["history"]) == HISTORY_FILES
    assert f"{HISTORY_FILES - 1:05}" not in after["history"]
    assert after[MODIFIED] == f"{newer.modified}_newer"


@pytest.mark.slow
def test_a_file_that_is_being_written_is_left_for_the_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Directory, "settles", 2.0)
    (tmp_path / "done.csv").write_text("x\n1\n")
    os.utime(tmp_path / "done.csv", (1_700_000_000,) * 2)
    configuration = settings(tmp_path)
    stream = configured(configuration)
    growing = tmp_path / "growing.csv"
    growing.write_text("x\n2")
    writer = threading.Timer(0.5, lambda: growing.write_text("x\n22\n"))
    writer.start()
    rows, state = outcome(configuration, stream)
    writer.join()
    assert [row["x"] for row in rows] == [1]
    assert [row["x"] for row in outcome(configuration, stream, state)[0]] == [22]


def test_the_configuration_of_the_real_connectors_moves_over_and_infers_as_they_do() -> None:
    streams = [{"name": "s", "globs": ["a/**/*.csv"], "format": {"filetype": "csv"}}]
    given = {"bucket": "b", "endpoint": "http://127.0.0.1:9", "region_name": "r", "streams": streams}
    assert configuration_of(given).streams[0].format.inference_type is None
    sftp = {"host": "h", "username": "u", "credentials": {"auth_type": "password", "password": "p"}}
    assert configuration_of({**sftp, "streams": streams}).place == "sftp://h:22"
    with pytest.raises(ConnectorError, match="unknown field `bucket_name`"):
        configuration_of({**given, "bucket_name": "b"})
