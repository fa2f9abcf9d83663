"""Columns that come, go and change their type between syncs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from lakehouse.errors import PermanentError
from lakehouse.lake.contract import Contract
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table

EPOCH = 1_764_000_000_000
KEY = {"order_id": pa.int64()}


def types(lake: Any) -> dict[str, str]:
    schema = open_catalog(lake.settings).load_table(("bronze", "shop__orders")).schema()
    return {f.name: str(f.field_type) for f in schema.fields if not f.name.startswith("_airbyte")}


def values(lake: Any, column: str) -> dict[int, Any]:
    return {key: row[column] for key, row in lake.rows(["order_id", column]).items()}


def merge_two(lake: Any, first: dict[str, Any], second: dict[str, Any], key: int = 2) -> None:
    """One row with the column `x` of the first type, then one of the second."""
    lake.land([{"order_id": 1, "x": first["value"]}], KEY | {"x": first["type"]})
    merge_table(lake.spec(), lake.settings)
    lake.land([{"order_id": key, "x": second["value"]}], KEY | {"x": second["type"]}, epoch=EPOCH + 1)
    merge_table(lake.spec(), lake.settings)


def test_a_new_column_is_null_in_the_rows_from_before(lake: Any) -> None:
    lake.land([{"order_id": 1}], KEY)
    merge_table(lake.spec(), lake.settings)
    lake.land([{"order_id": 2, "note": "hello"}], KEY | {"note": pa.string()}, epoch=EPOCH + 1)
    merge_table(lake.spec(), lake.settings)
    assert values(lake, "note") == {1: None, 2: "hello"}


def test_a_dropped_column_stays_and_is_null_in_new_rows(lake: Any) -> None:
    lake.land([{"order_id": 1, "note": "hello"}], KEY | {"note": pa.string()})
    merge_table(lake.spec(), lake.settings)
    lake.land([{"order_id": 2}], KEY, epoch=EPOCH + 1)
    result = merge_table(lake.spec(), lake.settings)
    assert values(lake, "note") == {1: "hello", 2: None}
    assert result.inserted == 1


def test_integer_widens_to_number(lake: Any) -> None:
    merge_two(lake, {"value": 7, "type": pa.int64()}, {"value": 1.5, "type": pa.float64()})
    assert types(lake)["x"] == "double"
    assert values(lake, "x") == {1: 7.0, 2: 1.5}
    table = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    assert table.scan(row_filter="x >= 7").to_arrow()["order_id"].to_pylist() == [1]


def test_an_integer_fits_a_number(lake: Any) -> None:
    merge_two(lake, {"value": 1.5, "type": pa.float64()}, {"value": 7, "type": pa.int64()})
    assert values(lake, "x") == {1: 1.5, 2: 7.0}


def test_two_types_in_one_delivery_meet(lake: Any) -> None:
    lake.land([{"order_id": 1, "x": 7}], KEY | {"x": pa.int64()})
    lake.land([{"order_id": 2, "x": 1.5}], KEY | {"x": pa.float64()}, epoch=EPOCH + 1)
    merge_table(lake.spec(), lake.settings)
    assert values(lake, "x") == {1: 7.0, 2: 1.5}


def test_what_iceberg_promotes_is_promoted_in_place(lake: Any) -> None:
    merge_two(lake, {"value": 7, "type": pa.int32()}, {"value": 2**40, "type": pa.int64()})
    assert types(lake)["x"] == "long"
    assert values(lake, "x") == {1: 7, 2: 2**40}


def test_a_struct_gains_a_field(lake: Any) -> None:
    merge_two(
        lake,
        {"value": {"a": 1}, "type": pa.struct([("a", pa.int64())])},
        {"value": {"a": 2, "b": "two"}, "type": pa.struct([("a", pa.int64()), ("b", pa.string())])},
    )
    assert values(lake, "x") == {1: {"a": 1, "b": None}, 2: {"a": 2, "b": "two"}}


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        ("string", pa.int64(), 1),
        ("long", pa.string(), "one"),
        ("double", pa.date32(), None),
        ("boolean", pa.int64(), 1),
        ("list<string>", pa.string(), "one"),
    ],
)
def test_any_other_retype_is_refused_by_a_contract_that_says_so(
    lake: Any, before: str, after: pa.DataType, value: Any
) -> None:
    arrow = {"string": pa.string(), "long": pa.int64(), "double": pa.float64(), "boolean": pa.bool_()}
    lake.land([{"order_id": 1}], KEY | {"x": arrow.get(before, pa.list_(pa.string()))})
    first = merge_table(lake.spec(), lake.settings)
    lake.land([{"order_id": 2, "x": value}], KEY | {"x": after}, epoch=EPOCH + 1)
    strict = lake.spec(contract=Contract(drift={"retyped": "fail"}))
    with pytest.raises(PermanentError) as refusal:
        merge_table(strict, lake.settings)
    line = str(refusal.value)
    assert "column x of bronze.shop__orders is landed as" in line
    assert f"not {before}, which its contract does not allow" in line
    assert "\n" not in line
    table = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    assert table.current_snapshot().snapshot_id == first.snapshot_id
    assert set(lake.rows(["order_id"])) == {1}


def test_a_rebuild_takes_the_type_that_is_landed_now(lake: Any) -> None:
    old = lake.land([{"order_id": 1, "x": "seven"}], KEY | {"x": pa.string()})
    merge_table(lake.spec(), lake.settings)
    old.unlink()
    lake.land([{"order_id": 1, "x": 7}], KEY | {"x": pa.int64()}, epoch=EPOCH + 1)
    merge_table(lake.spec(rebuild=True), lake.settings)
    assert types(lake)["x"] == "long"
    assert values(lake, "x") == {1: 7}


def test_a_column_may_be_named_as_the_directories_of_landing_are(lake: Any) -> None:
    lake.land([{"order_id": 1, "date": "tomorrow"}], KEY | {"date": pa.string()})
    merge_table(lake.spec(), lake.settings)
    assert values(lake, "date") == {1: "tomorrow"}


def test_values_of_every_landed_type_come_through_unchanged(lake: Any) -> None:
    from datetime import UTC, date, datetime, time

    fields = KEY | {
        "text": pa.string(),
        "flag": pa.bool_(),
        "number": pa.float64(),
        "day": pa.date32(),
        "clock": pa.time64("us"),
        "moment": pa.timestamp("us", "UTC"),
        "tags": pa.list_(pa.string()),
        "place": pa.struct([("city", pa.string()), ("points", pa.list_(pa.float64()))]),
        'odd "name"': pa.string(),
    }
    row = {
        "order_id": 1,
        "text": "Zoë ✓ \n'quoted'",
        "flag": False,
        "number": -0.1,
        "day": date(1969, 12, 31),
        "clock": time(23, 59, 59, 999999),
        "moment": datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        "tags": ["a", None, ""],
        "place": {"city": None, "points": [1.5]},
        'odd "name"': "kept",
    }
    empty = {"order_id": 2} | dict.fromkeys(list(fields)[1:])
    lake.land([row, empty], fields)
    merge_table(lake.spec(), lake.settings)
    assert lake.rows(list(fields)) == {1: row, 2: empty}
    lake.land([row, empty], fields, epoch=EPOCH + 1)
    assert merge_table(lake.spec(), lake.settings).unchanged == 2
