"""The four shapes of an answer, for every type that Dremio has."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.cli.answers import SHOWN_ROWS, write_answer
from lakehouse.errors import ConfigurationError

MOMENT = datetime(2026, 11, 22, 9, 30, 0, 123000)


@pytest.fixture
def answer() -> pa.Table:
    return pa.table(
        {
            "big": pa.array([9007199254740993, None], pa.int64()),
            "amount": pa.array([Decimal("12345678901234567.10"), Decimal("0.00")], pa.decimal128(38, 2)),
            "ratio": pa.array([0.1, float("nan")], pa.float64()),
            "day": pa.array([date(2026, 11, 22), None], pa.date32()),
            "moment": pa.array([MOMENT, None], pa.timestamp("ms")),
            "exact": pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns")),
            "zoned": pa.array([MOMENT.replace(tzinfo=UTC), None], pa.timestamp("ms", tz="UTC")),
            "hour": pa.array([time(1, 2, 3), None], pa.time32("ms")),
            "name": pa.array(['Ünïcödé, "quoted"\nline', None], pa.string()),
            "flag": pa.array([True, None], pa.bool_()),
            "raw": pa.array([b"\x00\xff", None], pa.binary()),
            "tags": pa.array([["a", "b"], None], pa.list_(pa.string())),
        }
    )


def written(answer: pa.Table, shape: str, tmp_path: Path) -> bytes:
    path = tmp_path / "answer"
    write_answer(answer, shape, path)
    return path.read_bytes()


def test_json_keeps_every_digit_and_is_iso(answer: pa.Table, tmp_path: Path) -> None:
    text = written(answer, "json", tmp_path).decode()
    first, second = json.loads(text, parse_float=Decimal)
    assert first == {
        "big": 9007199254740993,
        "amount": Decimal("12345678901234567.10"),
        "ratio": Decimal("0.1"),
        "day": "2026-11-22",
        "moment": "2026-11-22T09:30:00.123000",
        "exact": "2023-11-14 22:13:20.123456789",
        "zoned": "2026-11-22T09:30:00.123000Z",
        "hour": "01:02:03",
        "name": 'Ünïcödé, "quoted"\nline',
        "flag": True,
        "raw": "AP8=",
        "tags": ["a", "b"],
    }
    assert second == dict.fromkeys(first) | {"amount": Decimal("0.00")}


def test_json_of_nothing_is_an_empty_array(answer: pa.Table, tmp_path: Path) -> None:
    assert json.loads(written(answer.slice(0, 0), "json", tmp_path)) == []


def test_csv_has_a_header_and_nested_values_as_json(answer: pa.Table, tmp_path: Path) -> None:
    import csv

    lines = list(csv.reader(io.StringIO(written(answer, "csv", tmp_path).decode())))
    assert lines[0] == answer.column_names
    first = dict(zip(lines[0], lines[1], strict=True))
    assert first["big"] == "9007199254740993"
    assert first["amount"] == "12345678901234567.10"
    assert first["name"] == 'Ünïcödé, "quoted"\nline'
    assert first["raw"] == "AP8="
    assert json.loads(first["tags"]) == ["a", "b"]


def test_parquet_is_the_answer_itself(answer: pa.Table, tmp_path: Path) -> None:
    read = pq.read_table(io.BytesIO(written(answer, "parquet", tmp_path)))
    assert read.drop(["ratio"]).equals(answer.drop(["ratio"]))


def test_table_is_for_people_and_says_how_many_rows(tmp_path: Path) -> None:
    few = written(pa.table({"n": [1, None], "t": ["[bold]x", "y"]}), "table", tmp_path).decode()
    assert few.splitlines()[0].split() == ["n", "t"]
    assert "[bold]x" in few
    assert "null" in few
    assert few.endswith("(2 rows)\n")
    many = written(pa.table({"n": range(SHOWN_ROWS + 1)}), "table", tmp_path).decode()
    assert many.endswith("(501 rows; the first 500 are shown, --format csv has all)\n")


def test_columns_of_one_name_are_kept_or_refused(tmp_path: Path) -> None:
    twins = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"])
    assert written(twins, "table", tmp_path).decode().splitlines()[1].split() == ["1", "2"]
    assert written(twins, "csv", tmp_path) == b'"id","id"\n1,2\n'
    with pytest.raises(
        ConfigurationError, match="json: two columns are named id; give one another name with AS"
    ):
        written(twins, "json", tmp_path)


def test_file_that_cannot_be_written(answer: pa.Table, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"--output .*: cannot be written: No such file or directory"
    ):
        write_answer(answer, "json", tmp_path / "missing" / "answer")
