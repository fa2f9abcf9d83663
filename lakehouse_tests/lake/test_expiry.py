"""Old snapshots, orphans and landed objects go; what the merge, a retry or a reader needs stays."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest
from pyiceberg.table import Table

from lakehouse.lake.expiry import expire_snapshots
from lakehouse.lake.filesystem import open_filesystem
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.landing_retention import old_objects, remove_objects
from lakehouse.lake.merge import merge_table
from lakehouse.lake.orphans import remove_orphans
from lakehouse.lake.pending import find_pending
from lakehouse.lake.watermark import read_watermark
from lakehouse_tests.lake.conftest import DAY_MS, EPOCH, Lake

FIELDS = {"order_id": pa.int64(), "amount": pa.float64()}
NOW = timedelta(0)


def sync(lake: Lake, number: int, *orders: int, generation: int = 0, merge: bool = True) -> None:
    """One sync a day, each with an object, merged at once."""
    rows = [{"order_id": order, "amount": float(number)} for order in orders]
    lake.land(rows, FIELDS, epoch=EPOCH + number * DAY_MS, generation=generation)
    if merge:
        merge_table(lake.spec(), lake.settings)


def table(lake: Lake) -> Table:
    return open_catalog(lake.settings).load_table(("bronze", "shop__orders"))


def old(lake: Lake) -> list[str]:
    return [o.name for o in old_objects(lake.settings, lake.spec(), read_watermark(table(lake)), NOW)]


def test_old_snapshots_go_and_the_table_is_the_same(lake: Lake) -> None:
    for number in range(4):
        sync(lake, number, 1, 2, number)
    before, watermark = lake.rows(["order_id", "amount"]), read_watermark(table(lake))
    assert expire_snapshots(table(lake), timedelta(days=1)) == []
    assert len(expire_snapshots(table(lake), NOW, dry_run=True)) == 3
    assert len(expire_snapshots(table(lake), NOW)) == 3
    assert len(table(lake).snapshots()) == 1
    assert read_watermark(table(lake)) == watermark
    removed = remove_orphans(("bronze", "shop__orders"), lake.settings, older_than=NOW)
    assert removed
    assert lake.rows(["order_id", "amount"]) == before
    sync(lake, 4, 9)
    assert 9 in lake.rows(["order_id"])


def test_the_way_to_the_watermark_stays(lake: Lake) -> None:
    sync(lake, 0, 1)
    sync(lake, 1, 2)
    for _ in range(2):  # as compaction, or SQL, commits: without a watermark
        current = table(lake)
        current.append(current.scan().to_arrow().slice(0, 0))
    watermark = read_watermark(table(lake))
    assert len(expire_snapshots(table(lake), NOW)) == 1
    assert len(table(lake).snapshots()) == 3
    assert read_watermark(table(lake)) == watermark


def test_a_tagged_snapshot_stays(lake: Lake) -> None:
    sync(lake, 0, 1)
    snapshot = table(lake).current_snapshot()
    assert snapshot is not None
    table(lake).manage_snapshots().create_tag(snapshot.snapshot_id, "month_end").commit()
    sync(lake, 1, 2)
    assert expire_snapshots(table(lake), NOW) == []


def test_a_dry_run_removes_no_file(lake: Lake) -> None:
    sync(lake, 0, 1)
    sync(lake, 1, 1)
    expire_snapshots(table(lake), NOW)
    told = remove_orphans(("bronze", "shop__orders"), lake.settings, older_than=NOW, dry_run=True)
    done = remove_orphans(("bronze", "shop__orders"), lake.settings, older_than=NOW)
    assert [file.path for file in told] == [file.path for file in done]


def test_consumed_objects_go_but_the_newest_of_each_generation_and_sync(lake: Lake) -> None:
    for number in range(3):
        sync(lake, number, number)
    for number in (3, 4, 5):
        sync(lake, number, number, generation=1)
    before = lake.rows(["order_id", "amount"])
    assert old(lake) == [f"{EPOCH + number * DAY_MS}_0.parquet" for number in (0, 1, 3, 4)]
    objects = old_objects(lake.settings, lake.spec(), read_watermark(table(lake)), NOW)
    assert remove_objects(lake.settings, objects) == sum(o.size for o in objects)
    assert old(lake) == []
    assert (
        find_pending(lake.settings, open_filesystem(lake.settings), lake.spec(), read_watermark(table(lake)))
        is None
    )
    sync(lake, 6, 5, 9, generation=1)
    after = lake.rows(["order_id", "amount"])
    assert after.keys() == before.keys() | {9}
    assert after[5]["amount"] == 6.0


def test_rows_of_a_generation_go_when_the_destination_removes_it_after_retention(lake: Lake) -> None:
    for number in range(3):
        sync(lake, number, number)
    sync(lake, 3, 7, generation=1)
    remove_objects(lake.settings, old_objects(lake.settings, lake.spec(), read_watermark(table(lake)), NOW))
    assert lake.rows(["order_id"]).keys() == {0, 1, 2, 7}
    for path in (lake.home / "lake/landing/shop/orders").rglob(f"{EPOCH + 2 * DAY_MS}_0.parquet"):
        path.unlink()
    merge_table(lake.spec(), lake.settings)
    assert lake.rows(["order_id"]).keys() == {7}


def test_what_is_not_consumed_stays(lake: Lake) -> None:
    sync(lake, 0, 0)
    sync(lake, 1, 1, merge=False)
    sync(lake, 2, 2, merge=False)
    assert old(lake) == []


def test_what_waits_in_quarantine_keeps_everything_landed_since(lake: Lake) -> None:
    sync(lake, 0, 0)
    lake.land([{"order_id": None, "amount": 1.0}], FIELDS, epoch=EPOCH + DAY_MS)
    for number in (2, 3, 4):
        sync(lake, number, number)
    assert old(lake) == [f"{EPOCH}_0.parquet"]


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_stream_that_is_its_newest_generation_is_left_alone(lake: Lake, mode: str) -> None:
    for number in range(3):
        lake.land([{"order_id": 1}], {"order_id": pa.int64()}, epoch=EPOCH + number, generation=number)
        merge_table(lake.spec(mode=mode), lake.settings)
    watermark = read_watermark(table(lake))
    assert old_objects(lake.settings, lake.spec(mode=mode), watermark, NOW) == []
    assert old_objects(lake.settings, lake.spec(mode=mode), None, NOW) == []
