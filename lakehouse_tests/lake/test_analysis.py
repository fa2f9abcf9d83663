"""Which days a merge would change, told before it is made."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.lake.analysis import touched_days
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import PeriodPartition
from lakehouse_tests.lake.conftest import DAY_MS, EPOCH, Lake

pytestmark = pytest.mark.slow
FIELDS = {
    "order_id": pa.int64(),
    "day": pa.date32(),
    "_ab_cdc_lsn": pa.int64(),
    "_ab_cdc_deleted_at": pa.string(),
}
SPEC: dict[str, Any] = {"partition": PeriodPartition("day")}
ONE, TWO, THREE, FOUR = (date(2025, 1, n) for n in (1, 2, 3, 4))


def change(key: int, day: date, lsn: int, *, deleted: bool = False) -> dict[str, Any]:
    gone = "2025-11-24T16:00:00Z" if deleted else None
    return {"order_id": key, "day": day, "_ab_cdc_lsn": lsn, "_ab_cdc_deleted_at": gone}


def test_days_where_changed_keys_live_and_used_to_live_are_told_and_nothing_is_written(lake: Lake) -> None:
    spec, catalog = lake.spec(**SPEC), open_catalog(lake.settings)
    assert touched_days(spec, lake.settings, catalog) is None
    lake.land([change(n, day, n) for n, day in enumerate((ONE, TWO, THREE, THREE), 1)], FIELDS)
    first = touched_days(spec, lake.settings, catalog)
    assert first is not None
    assert first.days == {ONE, TWO, THREE}
    assert not catalog.table_exists(spec.identifier)
    merge_table(spec, lake.settings, catalog)

    moved, gone, same = change(1, FOUR, 11), change(3, THREE, 12, deleted=True), change(2, TWO, 13)
    lake.land([moved, gone, same], FIELDS, epoch=EPOCH + DAY_MS)
    before = catalog.load_table(spec.identifier).metadata.current_snapshot_id
    touched = touched_days(spec, lake.settings, catalog)
    assert touched is not None
    assert touched.days == {ONE, FOUR, THREE}, "the moved row's old and new day, and the deleted row's"
    assert touched.objects == (f"date=2025-11-25/{EPOCH + DAY_MS}_0.parquet",)
    assert catalog.load_table(spec.identifier).metadata.current_snapshot_id == before
    assert set(merge_table(spec, lake.settings, catalog).partitions) == touched.days


def test_landed_again_touches_no_day_and_is_still_to_be_consumed(lake: Lake) -> None:
    spec, catalog = lake.spec(**SPEC), open_catalog(lake.settings)
    lake.land([change(1, ONE, 1)], FIELDS)
    merge_table(spec, lake.settings, catalog)
    lake.land([change(1, ONE, 1)], FIELDS, epoch=EPOCH + DAY_MS)
    touched = touched_days(spec, lake.settings, catalog)
    assert touched is not None
    assert touched.days == frozenset()
    merge_table(spec, lake.settings, catalog)
    assert touched_days(spec, lake.settings, catalog) is None
