"""Record text as typed columns: good values fast, bad values NULL with a recorded change."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.embedded.airbyte.coercion import Change, cast_strings
from lakehouse.embedded.airbyte.records import BATCH_ROWS, LandingBatch, RecordBatcher
from lakehouse.embedded.airbyte.types import AirbyteType, Kind, columns_of

PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "name": {"type": "string"},
    "price": {"type": "number"},
    "ok": {"type": "boolean"},
    "born": {"type": "string", "format": "date"},
    "seen": {"type": "string", "format": "date-time"},
    "naive": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
    "at": {"type": "string", "format": "time", "airbyte_type": "time_without_timezone"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "blob": {"type": "object"},
    "either": {"type": ["integer", "string"]},
    "place": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def batch_of(*records: str, properties: dict[str, Any] = PROPERTIES) -> LandingBatch:
    batcher = RecordBatcher(columns_of({"properties": properties}))
    for record in records:
        batcher.add(record.encode(), 1, [])
    batch = batcher.flush()
    assert batch is not None
    return batch


def test_good_values_have_their_types() -> None:
    record = {
        "id": 1, "name": "é", "price": 1.5, "ok": True, "born": "2024-02-29",
        "seen": "2024-01-01T02:00:00+02:00", "naive": "2024-01-01T02:00:00.5", "at": "10:11:12.000013",
        "tags": ["a", None], "blob": {"z": [1, {"y": 2}]},
        "either": "x", "place": {"city": "Oslo", "more": 1}, "undeclared": 7,
    }  # fmt: skip
    batch = batch_of(json.dumps(record), "{}")
    utc = dt.UTC
    assert batch.changes == {}
    assert batch.rows.to_pylist()[0] == {
        "id": 1, "name": "é", "price": 1.5, "ok": True, "born": dt.date(2024, 2, 29),
        "seen": dt.datetime(2024, 1, 1, tzinfo=utc),
        "naive": dt.datetime(2024, 1, 1, 2, 0, 0, 500_000, tzinfo=utc),
        "at": dt.time(10, 11, 12, 13), "tags": ["a", None], "blob": '{"z":[1,{"y":2}]}',
        "either": {"type": "string", "integer": None, "string": "x"}, "place": {"city": "Oslo"},
    }  # fmt: skip
    assert set(batch.rows.to_pylist()[1].values()) == {None}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", '"x"'), ("id", "1.5"), ("id", "9223372036854775808"), ("id", "true"), ("price", '"1.5"'),
        ("ok", "1"), ("born", '"2024-02-30"'), ("born", "1"), ("seen", '"yesterday"'),
        ("seen", '"2024-01-01T00:00:00"'), ("naive", '"2024-01-01T00:00:00Z"'), ("at", '"25:00:00"'),
        ("tags", '"a"'), ("either", "[1]"), ("place", "3"),
    ],
)  # fmt: skip
def test_a_bad_value_is_null_with_a_change_and_spoils_nothing_else(field: str, value: str) -> None:
    batch = batch_of(
        '{"id": 1, "name": "a"}', f'{{"name": "b", "{field}": {value}}}', '{"id": 3, "name": "c"}'
    )
    assert batch.changes == {1: [Change(field, "NULLED", "DESTINATION_SERIALIZATION_ERROR")]}
    assert batch.rows["name"].to_pylist() == ["a", "b", "c"]
    assert batch.rows[field].to_pylist()[1] is None
    assert batch.rows["id"].to_pylist()[::2] == [1, 3]


@pytest.mark.parametrize(
    ("field", "value", "stored"), [("id", "2.0", 2), ("name", "12", "12"), ("price", "3", 3.0)]
)
def test_a_value_of_a_kindred_type_is_taken(field: str, value: str, stored: Any) -> None:
    batch = batch_of(f'{{"{field}": {value}}}')
    assert (batch.rows[field].to_pylist(), batch.changes) == ([stored], {})


def test_a_stream_without_fields_still_has_its_rows() -> None:
    assert batch_of("{}", "{}", properties={}).rows.num_rows == 2


def test_a_batch_is_due_after_its_rows() -> None:
    batcher = RecordBatcher(columns_of({"properties": {"id": {"type": "integer"}}}))
    due = [batcher.add(b'{"id": 1}', 1, []) for _ in range(BATCH_ROWS)]
    assert due.index(True) == BATCH_ROWS - 1
    assert batcher.flush() is not None
    assert batcher.flush() is None


@given(
    st.lists(
        st.sampled_from(["1", "-7", "x", "1.5", " 1", "1_000", None, "9223372036854775808", ""]), max_size=12
    ),
    st.sampled_from([Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE]),
)
def test_whether_a_text_is_good_never_depends_on_its_neighbours(texts: list[str | None], kind: Kind) -> None:
    together, refused = cast_strings(pa.array(texts, pa.string()), AirbyteType(kind))
    alone = [cast_strings(pa.array([text], pa.string()), AirbyteType(kind)) for text in texts]
    assert together.to_pylist() == [array[0].as_py() for array, _ in alone]
    assert refused == [position for position, (_, bad) in enumerate(alone) if bad]
