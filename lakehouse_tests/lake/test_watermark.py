"""The watermark's arithmetic and where it is kept."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.errors import PermanentError
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.layout import LandingObject, parse_landing_object
from lakehouse.lake.merge import merge_table
from lakehouse.lake.watermark import WATERMARK_PROPERTY, Watermark, advance

EPOCH = 1_764_000_000_000
FIELDS = {"order_id": pa.int64()}


def landed(epoch: int, part: int) -> LandingObject:
    url = f"file:///lake/landing/shop/orders/date=2025-11-24/{epoch}_{part}.parquet"
    return parse_landing_object("shop", "orders", url, 1)


def test_json_round_trip() -> None:
    watermark = Watermark(EPOCH, ("1_0.parquet",), 23456.0, "0000002A:1", {1: "date=x/1_0.parquet", 2: None})
    assert Watermark.from_json(watermark.to_json()) == watermark
    assert watermark.generation == 2


def test_json_of_an_earlier_version() -> None:
    text = '{"epoch": 1764000000000, "objects": ["1_0.parquet"], "lsn": 7.0}'
    assert Watermark.from_json(text) == Watermark(EPOCH, ("1_0.parquet",), lsn=7.0)
    assert Watermark.from_json(text).generation is None


def test_parts_of_one_sync_add_up_and_keep_the_floor() -> None:
    before = Watermark(EPOCH, (landed(EPOCH, 1).name,), 30.0, 10.0, {0: "x"})
    after = advance(before, [landed(EPOCH, 0)], {0: "y"}, lsn=20.0, older_lsn=None)
    assert after == Watermark(EPOCH, (landed(EPOCH, 0).name, landed(EPOCH, 1).name), 30.0, 10.0, {0: "y"})


def test_a_new_sync_raises_the_floor_to_all_that_came_before_it() -> None:
    before = Watermark(EPOCH, (landed(EPOCH, 0).name,), 30.0, 10.0, {0: "x"})
    consumed = [landed(EPOCH + 1, 0), landed(EPOCH + 2, 0)]
    after = advance(before, consumed, {0: "y"}, lsn=50.0, older_lsn=40.0)
    assert after == Watermark(EPOCH + 2, (landed(EPOCH + 2, 0).name,), 50.0, 40.0, {0: "y"})
    assert not after.consumed(landed(EPOCH + 2, 1))
    assert after.consumed(landed(EPOCH + 1, 9))


def test_positions_start_again_with_a_generation() -> None:
    before = Watermark(EPOCH, (landed(EPOCH, 0).name,), 9000.0, 8000.0, {1: "x"})
    after = advance(before, [landed(EPOCH + 1, 0)], {1: "x", 2: "y"}, lsn=5.0, older_lsn=None)
    assert (after.lsn, after.floor) == (5.0, None)


def test_it_is_json_in_the_summary_of_the_current_snapshot(lake: Any) -> None:
    lake.land([{"order_id": 1}], FIELDS)
    merge_table(lake.spec(), lake.settings)
    table = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    assert json.loads(table.current_snapshot().summary[WATERMARK_PROPERTY]) == {
        "epoch": EPOCH,
        "objects": [f"{EPOCH}_0.parquet"],
        "lsn": None,
        "floor": None,
        "generations": {"0": f"date=2025-11-24/{EPOCH}_0.parquet"},
    }


def test_a_snapshot_of_another_writer_does_not_hide_it(lake: Any) -> None:
    lake.land([{"order_id": 1}, {"order_id": 2}], FIELDS)
    first = merge_table(lake.spec(), lake.settings)
    open_catalog(lake.settings).load_table(("bronze", "shop__orders")).delete("order_id = 2")
    after = merge_table(lake.spec(), lake.settings)
    assert (after.committed, after.rows, after.watermark) == (False, 1, first.watermark)


def test_a_table_that_does_not_say_how_far_it_got_is_refused(lake: Any) -> None:
    catalog = open_catalog(lake.settings)
    table = catalog.create_table(("bronze", "shop__orders"), pa.schema([("order_id", pa.int64())]))
    table.append(pa.table({"order_id": [1]}))
    lake.land([{"order_id": 2}], FIELDS)
    with pytest.raises(PermanentError, match="rebuild the table from landing"):
        merge_table(lake.spec(), lake.settings)
    assert merge_table(lake.spec(rebuild=True), lake.settings).rows == 1
    assert set(lake.rows(["order_id"])) == {2}
