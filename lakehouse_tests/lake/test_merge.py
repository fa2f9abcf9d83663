"""The bronze merge, one rule a test."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import PeriodPartition

EPOCH = 1_764_000_000_000
FIELDS = {"order_id": pa.int64(), "order_date": pa.date32(), "amount": pa.float64()}
CURSOR = FIELDS | {"updated_at": pa.timestamp("us", "UTC")}
CDC = FIELDS | {
    "_ab_cdc_lsn": pa.float64(),
    "_ab_cdc_updated_at": pa.string(),
    "_ab_cdc_deleted_at": pa.string(),
}
DAYS = PeriodPartition("order_date")
MAY, JUNE = date(2025, 5, 1), date(2025, 6, 1)


def order(key: int, day: date | None, amount: float, **more: Any) -> dict[str, Any]:
    return {"order_id": key, "order_date": day, "amount": amount} | more


def deletion(key: int, lsn: float) -> dict[str, Any]:
    return {"order_id": key, "_ab_cdc_lsn": lsn, "_ab_cdc_deleted_at": "2025-06-02T00:00:00Z"}


def amounts(lake: Any) -> dict[int, float]:
    return {key: row["amount"] for key, row in lake.rows(["order_id", "amount"]).items()}


def test_first_merge_makes_the_table_with_a_partition_a_day(lake: Any) -> None:
    lake.land([order(1, MAY, 1.0), order(2, JUNE, 2.0), order(3, JUNE, 3.0), order(4, None, 4.0)], FIELDS)
    result = merge_table(lake.spec(partition=DAYS), lake.settings)
    assert result.partitions == {MAY: 1, JUNE: 2, None: 1}
    assert (result.inserted, result.rows, result.landed_rows) == (4, 4, 4)
    assert result.objects == (f"{EPOCH}_0.parquet",)
    assert amounts(lake) == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0}
    table = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    assert table.location() == lake.spec().location
    assert [f"{field.name} {field.transform}" for field in table.spec().fields] == ["order_date identity"]
    assert [field.name for field in table.schema().fields] == [
        "order_id", "order_date", "amount",
        "_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_generation_id",
    ]  # fmt: skip


def test_timestamps_are_partitioned_by_their_utc_day(lake: Any) -> None:
    fields = {"order_id": pa.int64(), "placed_at": pa.timestamp("us", "UTC")}
    late = datetime(2025, 6, 1, 23, 59, 59, 999999, UTC)
    lake.land([{"order_id": 1, "placed_at": late}, {"order_id": 2, "placed_at": None}], fields)
    result = merge_table(lake.spec(partition=PeriodPartition("placed_at")), lake.settings)
    assert result.partitions == {JUNE: 1, None: 1}
    table = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    found = table.scan(row_filter="placed_at >= '2025-06-01T00:00:00+00:00'").to_arrow()
    assert found["order_id"].to_pylist() == [1]


def test_rows_without_a_day_are_one_partition_in_one_file(lake: Any) -> None:
    rows = [order(key, None if key % 2 else MAY, 1.0) for key in range(20_000)]
    lake.land(rows, FIELDS)
    result = merge_table(lake.spec(partition=DAYS), lake.settings)
    assert result.partitions == {MAY: 10_000, None: 10_000}
    assert {day: len(paths) for day, paths in _paths_by_day(lake).items()} == {MAY: 1, None: 1}


def test_nothing_pending_commits_nothing(lake: Any) -> None:
    assert merge_table(lake.spec(), lake.settings).snapshot_id is None
    lake.land([order(1, MAY, 1.0)], FIELDS)
    first = merge_table(lake.spec(), lake.settings)
    again = merge_table(lake.spec(), lake.settings)
    assert first.committed
    assert not again.committed
    assert (again.snapshot_id, again.watermark, again.rows) == (first.snapshot_id, first.watermark, 1)


def test_a_moved_key_touches_the_day_it_left_and_the_day_it_went_to(lake: Any) -> None:
    july = date(2025, 7, 1)
    rows = [order(1, MAY, 1.0), order(2, MAY, 2.0), order(3, JUNE, 3.0), order(4, july, 4.0)]
    lake.land(rows, FIELDS)
    merge_table(lake.spec(partition=DAYS), lake.settings)
    lake.land([order(1, JUNE, 1.5)], FIELDS, epoch=EPOCH + 1)
    result = merge_table(lake.spec(partition=DAYS), lake.settings)
    assert result.partitions == {MAY: 1, JUNE: 2}
    assert (result.inserted, result.updated, result.deleted) == (0, 1, 0)
    assert amounts(lake) == {1: 1.5, 2: 2.0, 3: 3.0, 4: 4.0}


def test_untouched_partitions_keep_their_files(lake: Any) -> None:
    lake.land([order(1, MAY, 1.0), order(2, JUNE, 2.0)], FIELDS)
    merge_table(lake.spec(partition=DAYS), lake.settings)
    before = _paths_by_day(lake)
    lake.land([order(2, JUNE, 2.5)], FIELDS, epoch=EPOCH + 1)
    merge_table(lake.spec(partition=DAYS), lake.settings)
    after = _paths_by_day(lake)
    assert after[MAY] == before[MAY]
    assert after[JUNE] != before[JUNE]
    assert len(after[JUNE]) == 1


def test_repeated_delivery_advances_the_watermark_and_touches_nothing(lake: Any) -> None:
    lake.land([order(1, MAY, 1.0)], FIELDS)
    first = merge_table(lake.spec(partition=DAYS), lake.settings)
    lake.land([order(1, MAY, 1.0)], FIELDS, epoch=EPOCH + 1)
    again = merge_table(lake.spec(partition=DAYS), lake.settings)
    assert again.committed
    assert again.partitions == {}
    assert (again.updated, again.unchanged) == (0, 1)
    assert again.watermark.epoch == EPOCH + 1
    assert again.snapshot_id != first.snapshot_id
    assert not merge_table(lake.spec(partition=DAYS), lake.settings).committed


def test_an_older_version_by_cursor_loses(lake: Any) -> None:
    newer, older = datetime(2025, 6, 2, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
    lake.land([order(1, MAY, 2.0, updated_at=newer)], CURSOR)
    merge_table(lake.spec(cursor_field="updated_at"), lake.settings)
    lake.land([order(1, MAY, 1.0, updated_at=older)], CURSOR, epoch=EPOCH + 1)
    result = merge_table(lake.spec(cursor_field="updated_at"), lake.settings)
    assert (result.updated, result.unchanged) == (0, 1)
    assert amounts(lake) == {1: 2.0}


def test_a_repeated_insert_does_not_bring_a_deleted_key_back(lake: Any) -> None:
    lake.land([order(1, MAY, 1.0, _ab_cdc_lsn=10.0), order(2, MAY, 2.0, _ab_cdc_lsn=11.0)], CDC)
    merge_table(lake.spec(), lake.settings)
    lake.land([deletion(1, 20.0)], CDC, epoch=EPOCH + 1)
    gone = merge_table(lake.spec(), lake.settings)
    assert (gone.deleted, gone.watermark.lsn) == (1, 20.0)
    lake.land([order(1, MAY, 1.0, _ab_cdc_lsn=10.0), deletion(1, 20.0)], CDC, epoch=EPOCH + 2)
    again = merge_table(lake.spec(), lake.settings)
    assert (again.inserted, again.deleted, again.partitions) == (0, 0, {})
    assert amounts(lake) == {2: 2.0}


def test_an_insert_repeated_without_its_delete_is_dropped(lake: Any) -> None:
    lake.land([order(1, MAY, 1.0, _ab_cdc_lsn=10.0)], CDC)
    lake.land([deletion(1, 20.0), order(2, MAY, 2.0, _ab_cdc_lsn=21.0)], CDC, epoch=EPOCH + 1)
    merge_table(lake.spec(), lake.settings)
    lake.land([order(1, MAY, 1.0, _ab_cdc_lsn=10.0)], CDC, epoch=EPOCH + 2)
    again = merge_table(lake.spec(), lake.settings)
    assert (again.inserted, again.partitions) == (0, {})
    assert amounts(lake) == {2: 2.0}


def test_a_part_of_a_later_sync_published_late_repeats_nothing_older(lake: Any) -> None:
    lake.land([order(1, MAY, 1.0, _ab_cdc_lsn=10.0), deletion(1, 20.0)], CDC)
    merge_table(lake.spec(), lake.settings)
    lake.land([order(2, MAY, 2.0, _ab_cdc_lsn=30.0)], CDC, epoch=EPOCH + 1, part=1)
    merge_table(lake.spec(), lake.settings)
    rows = [order(1, MAY, 1.0, _ab_cdc_lsn=10.0), order(3, MAY, 3.0, _ab_cdc_lsn=25.0)]
    lake.land(rows, CDC, epoch=EPOCH + 1, part=0)
    merge_table(lake.spec(), lake.settings)
    assert amounts(lake) == {2: 2.0, 3: 3.0}


def test_a_part_published_late_is_applied_in_its_place(lake: Any) -> None:
    lake.land([deletion(1, 30.0), order(2, MAY, 2.5, _ab_cdc_lsn=31.0)], CDC, part=1)
    merge_table(lake.spec(), lake.settings)
    lake.land(
        [order(1, MAY, 1.0, _ab_cdc_lsn=10.0), order(2, MAY, 2.0, _ab_cdc_lsn=11.0),
         order(3, MAY, 3.0, _ab_cdc_lsn=12.0)],
        CDC,
    )  # fmt: skip
    result = merge_table(lake.spec(), lake.settings)
    assert amounts(lake) == {2: 2.5, 3: 3.0}
    assert result.objects == (f"{EPOCH}_0.parquet",)
    assert set(result.watermark.objects) == {f"{EPOCH}_0.parquet", f"{EPOCH}_1.parquet"}


def test_overwrite_holds_the_newest_generation_and_nothing_else(lake: Any) -> None:
    spec = lake.spec(mode="overwrite", partition=DAYS)
    lake.land([order(1, MAY, 1.0), order(2, JUNE, 2.0)], FIELDS, generation=1)
    merge_table(spec, lake.settings)
    lake.land([order(2, JUNE, 2.0), order(3, JUNE, 3.0)], FIELDS, epoch=EPOCH + 1, generation=2)
    result = merge_table(spec, lake.settings)
    assert (result.inserted, result.deleted, result.unchanged) == (1, 1, 1)
    assert result.partitions == {MAY: 0, JUNE: 2}
    assert amounts(lake) == {2: 2.0, 3: 3.0}


def test_a_derived_partition_column_is_part_of_the_table(lake: Any) -> None:
    fields = {"order_id": pa.int64(), "year": pa.int64(), "month": pa.int64(), "day": pa.int64()}
    lake.land([{"order_id": 1, "year": 2025, "month": 5, "day": 1}], fields)
    derived = PeriodPartition("order_date", "make_date(year, month, day)")
    assert merge_table(lake.spec(partition=derived), lake.settings).partitions == {MAY: 1}
    assert lake.rows(["order_id", "order_date"]) == {1: {"order_id": 1, "order_date": MAY}}


def _paths_by_day(lake: Any) -> dict[date | None, set[str]]:
    from lakehouse.lake.table_files import current_files

    files: dict[date | None, set[str]] = {}
    for file in current_files(open_catalog(lake.settings).load_table(("bronze", "shop__orders"))):
        files.setdefault(file.day, set()).add(file.path)
    return files


@pytest.mark.parametrize(
    "name", ["id", "reason", "in_column", "epoch", "action", "new_day", "c", "o", "date"]
)
def test_a_source_may_name_its_columns_as_it_likes(lake: Any, name: str) -> None:
    fields = {name: pa.int64(), "_ab_cdc_lsn": pa.float64(), "value": pa.int64()}
    spec = lake.spec(primary_key=(name,))
    lake.land([{name: 1, "_ab_cdc_lsn": 1, "value": 1}, {name: None, "_ab_cdc_lsn": 1}], fields)
    merge_table(spec, lake.settings)
    lake.land([{name: 1, "_ab_cdc_lsn": 2, "value": 2}], fields, epoch=EPOCH + 1)
    merge_table(spec, lake.settings)
    assert lake.rows([name, "value"]) == {1: {name: 1, "value": 2}}
