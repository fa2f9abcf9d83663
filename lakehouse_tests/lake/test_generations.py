"""Generations: a source made anew, a re-snapshot and what it removes, a source that became empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.types import DoubleType, LongType

from lakehouse.errors import PermanentError
from lakehouse.lake.contract import ColumnContract, Contract
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import MergeResult
from lakehouse.lake.watermark import WATERMARK_PROPERTY

EPOCH = 1_764_000_000_000
DAY_MS = 86_400_000
FIELDS = {"order_id": pa.int64(), "amount": pa.float64()}
CDC = FIELDS | {"_ab_cdc_lsn": pa.float64(), "_ab_cdc_deleted_at": pa.string()}
BINLOG = FIELDS | {"_ab_cdc_cursor": pa.int64(), "_ab_cdc_deleted_at": pa.string()}


def change(key: int, amount: float, lsn: float) -> dict[str, Any]:
    return {"order_id": key, "amount": amount, "_ab_cdc_lsn": lsn}


def deletion(key: int, lsn: float) -> dict[str, Any]:
    return {"order_id": key, "_ab_cdc_lsn": lsn, "_ab_cdc_deleted_at": "2025-06-02T00:00:00Z"}


def amounts(lake: Any) -> dict[int, float]:
    return {key: row["amount"] for key, row in lake.rows(["order_id", "amount"]).items()}


def merge(lake: Any, **spec: Any) -> MergeResult:
    return merge_table(lake.spec(**spec), lake.settings)


def landed(lake: Any, generation: int, lsn: float, *keys: int, epoch: int, amount: float = 1.0) -> Path:
    rows = [change(key, amount, lsn + place) for place, key in enumerate(keys)]
    path: Path = lake.land(rows, CDC, epoch=epoch, generation=generation)
    return path


def forget_generations(lake: Any) -> None:
    """Leave the table as a version that knew no generations did."""
    table = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    values = json.loads(table.current_snapshot().summary[WATERMARK_PROPERTY])
    del values["generations"]
    with (
        table.transaction() as transaction,
        transaction.update_snapshot(
            snapshot_properties={WATERMARK_PROPERTY: json.dumps(values)}
        ).fast_append(),
    ):
        pass


def test_a_database_made_anew_wins_with_lower_positions(lake: Any) -> None:
    landed(lake, 1, 9000.0, 1, 2, epoch=EPOCH)
    merge(lake)
    landed(lake, 2, 10.0, 1, epoch=EPOCH + 1, amount=2.0)
    result = merge(lake)
    assert (result.updated, amounts(lake)) == (1, {1: 2.0, 2: 1.0})
    assert result.watermark is not None
    assert result.watermark.lsn == 10.0
    lake.land([change(1, 3.0, 20.0), deletion(2, 21.0)], CDC, epoch=EPOCH + 2, generation=2)
    assert merge(lake).deleted == 1
    assert amounts(lake) == {1: 3.0}
    lake.land([change(2, 1.0, 12.0)], CDC, epoch=EPOCH + 3, generation=2)  # repeated, applied before
    assert (merge(lake).inserted, amounts(lake)) == (0, {1: 3.0})


def test_an_older_generation_delivered_with_a_newer_one_loses(lake: Any) -> None:
    landed(lake, 1, 9000.0, 1, epoch=EPOCH, amount=1.0)
    landed(lake, 2, 10.0, 1, epoch=EPOCH + 1, amount=2.0)
    merge(lake)
    assert amounts(lake) == {1: 2.0}


def test_the_binlog_cursor_orders_changes(lake: Any) -> None:
    row = {"order_id": 1, "amount": 1.0, "_ab_cdc_cursor": 10}
    lake.land([row | {"amount": 2.0, "_ab_cdc_cursor": 20}, row], BINLOG)
    result = merge(lake, cursor_field="_ab_cdc_cursor")
    assert amounts(lake) == {1: 2.0}
    assert result.watermark is not None
    assert result.watermark.lsn == 20
    gone = {"order_id": 1, "_ab_cdc_cursor": 30, "_ab_cdc_deleted_at": "2025-06-02"}
    lake.land([gone], BINLOG, epoch=EPOCH + 1)
    merge(lake, cursor_field="_ab_cdc_cursor")
    lake.land([row], BINLOG, epoch=EPOCH + 2)
    assert merge(lake, cursor_field="_ab_cdc_cursor").inserted == 0


def test_rows_of_removed_generations_go_when_their_objects_do(lake: Any) -> None:
    first = landed(lake, 1, 10.0, 1, 2, 3, epoch=EPOCH)
    second = landed(lake, 1, 20.0, 4, epoch=EPOCH + DAY_MS)
    merge(lake)
    landed(lake, 2, 30.0, 1, epoch=EPOCH + 2 * DAY_MS)  # part of the snapshot
    assert (merge(lake).deleted, set(amounts(lake))) == (0, {1, 2, 3, 4})
    landed(lake, 2, 40.0, 2, epoch=EPOCH + 2 * DAY_MS + 1)
    merge(lake)
    assert not merge(lake).committed
    first.unlink()
    assert not merge(lake).committed  # the newest object of the generation is there
    second.unlink()
    result = merge(lake)
    assert (result.committed, result.deleted, result.landed_rows) == (True, 2, 0)
    assert set(amounts(lake)) == {1, 2}
    assert not merge(lake).committed


def test_a_generation_landed_and_its_elder_removed_between_two_merges(lake: Any) -> None:
    old = landed(lake, 1, 10.0, 1, 2, epoch=EPOCH)
    merge(lake)
    landed(lake, 2, 30.0, 1, 3, epoch=EPOCH + 1)
    old.unlink()
    result = merge(lake)
    assert (result.inserted, result.deleted, result.unchanged) == (1, 1, 1)
    assert set(amounts(lake)) == {1, 3}


def test_a_row_landed_again_as_it_was_stays_and_is_no_change(lake: Any) -> None:
    old = landed(lake, 1, 10.0, 1, 2, epoch=EPOCH)
    merge(lake)
    landed(lake, 2, 30.0, 1, 2, epoch=EPOCH + 1)
    result = merge(lake)
    assert (result.partitions, result.unchanged) == ({}, 2)
    old.unlink()
    assert merge(lake).deleted == 0
    assert set(amounts(lake)) == {1, 2}


def test_objects_landed_after_the_listing_are_not_taken_for_gone(
    lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot's last object lands and the older objects go right after the merge listed landing."""
    from lakehouse.lake import pending

    old = landed(lake, 1, 10.0, 1, 2, epoch=EPOCH)
    merge(lake)
    landed(lake, 2, 30.0, 1, epoch=EPOCH + 1)
    listing = pending.list_landing

    def then_finish(*arguments: Any) -> Any:
        found = listing(*arguments)
        if old.exists():
            lake.land([change(2, 1.0, 31.0)], CDC, epoch=EPOCH + 1, part=1, generation=2)
            old.unlink()
        return found

    monkeypatch.setattr(pending, "list_landing", then_finish)
    assert merge(lake).deleted == 0
    assert set(amounts(lake)) == {1, 2}


def test_a_cleared_landing_keeps_the_rows_until_another_generation_lands(lake: Any) -> None:
    objects = [landed(lake, 1, 10.0, 1, 2, epoch=EPOCH), landed(lake, 2, 20.0, 1, epoch=EPOCH + 1)]
    merge(lake)
    for path in objects:
        path.unlink()
    assert not merge(lake).committed
    assert set(amounts(lake)) == {1, 2}
    landed(lake, 3, 30.0, 7, epoch=EPOCH + 2)
    merge(lake)
    assert set(amounts(lake)) == {7}


def test_a_connection_made_anew_is_refused_until_the_former_one_is_removed(lake: Any) -> None:
    old = landed(lake, 5, 10.0, 1, 2, epoch=EPOCH)
    merge(lake)
    new = landed(lake, 1, 20.0, 1, 3, epoch=EPOCH + 1, amount=2.0)
    with pytest.raises(PermanentError) as refused:
        merge(lake)
    assert f"{new}: generation 1 of bronze.shop__orders follows generation 5" in str(refused.value)
    assert amounts(lake) == {1: 1.0, 2: 1.0}
    old.unlink()
    merge(lake)
    assert amounts(lake) == {1: 2.0, 3: 2.0}
    assert not merge(lake).committed


def test_two_connections_in_landing_are_refused_before_there_is_a_table(lake: Any) -> None:
    landed(lake, 2, 10.0, 1, epoch=EPOCH)
    landed(lake, 1, 10.0, 1, epoch=EPOCH + 1)
    with pytest.raises(PermanentError, match=r"generation 1 of bronze\.shop__orders follows generation 2"):
        merge(lake)


def test_superseded_rows_are_not_applied_again_with_a_late_object(lake: Any) -> None:
    lake.land([change(1, 1.0, 10.0), deletion(1, 20.0)], CDC, generation=1)
    repeated = [change(1, 1.0, 10.0), change(2, 1.0, 21.0)]
    lake.land(repeated, CDC, epoch=EPOCH + 1, generation=1)
    merge(lake)
    lake.land([change(3, 1.0, 1.0)], CDC, epoch=EPOCH + 1, part=1, generation=2)
    merge(lake)
    lake.land([change(4, 1.0, 2.0)], CDC, epoch=EPOCH + 1, part=2, generation=2)
    merge(lake)
    assert set(amounts(lake)) == {2, 3, 4}


def test_a_watermark_of_an_earlier_version_takes_the_generation_from_the_rows(lake: Any) -> None:
    old = landed(lake, 3, 9000.0, 1, 2, epoch=EPOCH)
    merge(lake)
    lake.land([deletion(2, 9100.0)], CDC, epoch=EPOCH + 1, generation=3)
    merge(lake)
    forget_generations(lake)
    lake.land([change(2, 1.0, 9001.0)], CDC, epoch=EPOCH + 2, generation=3)  # repeated, applied before
    assert merge(lake).inserted == 0
    forget_generations(lake)
    landed(lake, 4, 10.0, 7, epoch=EPOCH + 3)
    assert set(amounts(lake)) == {1}
    merge(lake)
    assert set(amounts(lake)) == {1, 7}
    for path in old.parent.glob("*.parquet"):
        if not path.name.startswith(str(EPOCH + 3)):
            path.unlink()
    merge(lake)
    assert set(amounts(lake)) == {7}


def test_overwrite_becomes_empty_when_a_later_sync_says_so(lake: Any) -> None:
    path = lake.land([{"order_id": 1, "amount": 1.0}], FIELDS, generation=1)
    merge(lake, mode="overwrite")
    path.unlink()
    assert not merge(lake, mode="overwrite").committed  # nobody knows why it is gone
    assert not merge(lake, mode="overwrite", landed_nothing_at=EPOCH - 1).committed
    result = merge(lake, mode="overwrite", landed_nothing_at=EPOCH + 1)
    assert (result.deleted, result.rows, amounts(lake)) == (1, 0, {})
    assert not merge(lake, mode="overwrite", landed_nothing_at=EPOCH + 1).committed
    lake.land([{"order_id": 2, "amount": 1.0}], FIELDS, epoch=EPOCH + 2, generation=3)
    merge(lake, mode="overwrite", landed_nothing_at=EPOCH + 1)
    assert set(amounts(lake)) == {2}


def test_overwrite_keeps_its_rows_while_objects_are_in_landing(lake: Any) -> None:
    lake.land([{"order_id": 1, "amount": 1.0}], FIELDS, generation=1)
    merge(lake, mode="overwrite")
    assert not merge(lake, mode="overwrite", landed_nothing_at=EPOCH + 1).committed


def test_overwrite_with_objects_that_hold_no_row_becomes_empty(lake: Any) -> None:
    path = lake.land([{"order_id": 1, "amount": 1.0}], FIELDS, generation=1)
    merge(lake, mode="overwrite")
    path.unlink()
    lake.land([], FIELDS, epoch=EPOCH + 1, generation=2)
    assert merge(lake, mode="overwrite").rows == 0


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_source_without_rows_is_a_table_without_rows(lake: Any, mode: str) -> None:
    lake.land([], FIELDS, generation=1)
    assert merge(lake, mode=mode).rows == 0
    assert amounts(lake) == {}
    lake.land([{"order_id": 1, "amount": 1.0}], FIELDS, epoch=EPOCH + 1, generation=1)
    assert merge(lake, mode=mode).rows == 1


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_source_that_lands_nothing_is_a_table_of_its_contract(lake: Any, mode: str) -> None:
    typed = {"order_id": ColumnContract(LongType()), "amount": ColumnContract(DoubleType())}
    options: dict[str, Any] = {"mode": mode, "contract": Contract(typed)}
    assert not merge(lake, **options).committed  # no sync has said that there is nothing
    made = merge(lake, **options, landed_nothing_at=EPOCH)
    assert (made.committed, made.rows) == (True, 0)
    assert amounts(lake) == {}
    assert not merge(lake, **options, landed_nothing_at=EPOCH + 1).committed
    lake.land([{"order_id": 1, "amount": 1.0}], FIELDS, epoch=EPOCH + 2, generation=1)
    assert merge(lake, **options).rows == 1
    assert set(amounts(lake)) == {1}
    assert merge(lake, **options).drift == ()
