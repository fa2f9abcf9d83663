"""Rows that leave quarantine enter bronze in the order in which they were landed."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from lakehouse.lake.contract import ColumnContract, Contract
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse.lake.quarantine import list_quarantine
from lakehouse.lake.retry import retry_quarantine
from lakehouse.lake.watermark import find_watermark

EPOCH = 1_764_000_000_000
X = {"order_id": pa.int64(), "x": pa.string(), "y": pa.int64()}
CDC = X | {"_ab_cdc_lsn": pa.float64(), "_ab_cdc_deleted_at": pa.string()}
STRICT = Contract({"x": ColumnContract(nullable=False)})


def row(key: int | None, lsn: float, *, x: str | None = None, y: int = 0) -> dict[str, Any]:
    return {"order_id": key, "x": x, "y": y, "_ab_cdc_lsn": lsn}


def deletion(key: int, lsn: float) -> dict[str, Any]:
    return {"order_id": key, "_ab_cdc_lsn": lsn, "_ab_cdc_deleted_at": "2025-06-02"}


def left(lake: Any) -> int:
    table = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    return sum(file.rows for file in list_quarantine(lake.settings, lake.spec(), find_watermark(table)))


def ys(lake: Any) -> dict[int, int]:
    return {key: found["y"] for key, found in lake.rows(["order_id", "y"]).items()}


def test_what_fits_by_now_enters_and_the_rest_stays(lake: Any) -> None:
    lake.land([row(1, 1.0, y=1), row(None, 2.0, x="a"), row(2, 3.0, x="b", y=2)], CDC)
    merge_table(lake.spec(contract=STRICT), lake.settings)
    assert (ys(lake), left(lake)) == ({2: 2}, 2)
    before = retry_quarantine(lake.spec(contract=STRICT), lake.settings)
    assert (ys(lake), left(lake), before.inserted) == ({2: 2}, 2, 0)
    after = retry_quarantine(lake.spec(), lake.settings)
    assert (ys(lake), left(lake), after.inserted) == ({1: 1, 2: 2}, 1, 1)
    assert after.watermark == before.watermark
    assert not merge_table(lake.spec(), lake.settings).committed
    (kept,) = lake.home.glob("lake/landing_quarantine/**/*.parquet")
    kept.unlink()
    assert not retry_quarantine(lake.spec(), lake.settings).committed


def test_later_versions_of_the_keys_win(lake: Any) -> None:
    lake.land([row(key, key * 1.0, y=1) for key in (1, 2, 3)], CDC)
    merge_table(lake.spec(contract=STRICT), lake.settings)
    lake.land([row(1, 10.0, x="new", y=9), row(2, 11.0, x="new"), deletion(2, 12.0)], CDC, epoch=EPOCH + 1)
    merge_table(lake.spec(contract=STRICT), lake.settings)
    assert (ys(lake), left(lake)) == ({1: 9}, 3)
    result = retry_quarantine(lake.spec(), lake.settings)
    assert (ys(lake), left(lake)) == ({1: 9, 3: 1}, 0)
    assert (result.inserted, result.updated, result.deleted) == (1, 0, 0)


def test_other_keys_are_left_alone(lake: Any) -> None:
    lake.land([row(5, 1.0, x="a"), deletion(5, 2.0)], CDC)
    lake.land([row(5, 1.0, x="a"), row(1, 3.0)], CDC, epoch=EPOCH + 1)
    first = merge_table(lake.spec(contract=STRICT), lake.settings)
    assert first.rows == 0
    lake.land([row(5, 1.0, x="a")], CDC, epoch=EPOCH + 2)  # repeated, and deleted before
    merge_table(lake.spec(contract=STRICT), lake.settings)
    retry_quarantine(lake.spec(), lake.settings)
    assert set(ys(lake)) == {1}


@pytest.mark.parametrize("removed", [False, True])
def test_two_versions_in_one_object_keep_their_order(lake: Any, *, removed: bool) -> None:
    path = lake.land([{"order_id": 1, "y": 1}, {"order_id": 1, "x": "b", "y": 2}, {"order_id": 2, "y": 3}], X)
    merge_table(lake.spec(contract=STRICT), lake.settings)
    if removed:
        path.unlink()
    retry_quarantine(lake.spec(), lake.settings)
    assert (ys(lake), left(lake)) == ({1: 2, 2: 3}, 0)


def test_a_later_row_of_the_same_moment_enters(lake: Any) -> None:
    lake.land([{"order_id": 1, "x": "b", "y": 1}, {"order_id": 1, "y": 2}], X)
    merge_table(lake.spec(contract=STRICT), lake.settings)
    assert ys(lake) == {1: 1}
    retry_quarantine(lake.spec(), lake.settings)
    assert ys(lake) == {1: 2}


def test_overwrite(lake: Any) -> None:
    strict = lake.spec(mode="overwrite", contract=STRICT)
    lake.land([{"order_id": 1, "x": "a", "y": 1}, {"order_id": 3, "x": "c"}], X, generation=1)
    merge_table(strict, lake.settings)
    lake.land([{"order_id": 1, "y": 2}, {"order_id": 2, "x": "b", "y": 0}], X, epoch=EPOCH + 1, generation=2)
    merge_table(strict, lake.settings)
    assert ys(lake) == {1: 1, 2: 0}
    retry_quarantine(lake.spec(mode="overwrite"), lake.settings)
    assert (ys(lake), left(lake)) == ({1: 2, 2: 0}, 0)
