"""A table's figures from its metadata."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from lakehouse.lake.describe import describe_table
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import PeriodPartition

FIELDS = {"order_id": pa.int64(), "order_date": pa.date32()}
BRONZE = ("bronze", "shop__orders")


def test_no_such_table(lake: Any) -> None:
    assert describe_table(BRONZE, lake.settings) is None


def test_a_merged_table(lake: Any) -> None:
    day = date(2025, 6, 1)
    lake.land([{"order_id": 1, "order_date": day}, {"order_id": 2}, {"order_id": 3}], FIELDS)
    result = merge_table(lake.spec(partition=PeriodPartition("order_date")), lake.settings)
    found = describe_table(BRONZE, lake.settings)
    assert found is not None
    assert (found.rows, found.files, found.partitions) == (3, 2, {day: 1, None: 2})
    assert (found.bytes, found.snapshot_id, found.watermark) == (
        result.bytes, result.snapshot_id, result.watermark,
    )  # fmt: skip
    assert found.committed_at is not None
    assert abs((datetime.now(UTC) - found.committed_at).total_seconds()) < 60


def test_a_table_of_another_writer_that_is_still_empty(lake: Any) -> None:
    open_catalog(lake.settings).create_table(("gold", "daily"), pa.schema([("day", pa.date32())]))
    found = describe_table(("gold", "daily"), lake.settings)
    assert found is not None
    assert (found.rows, found.snapshot_id, found.committed_at, found.watermark) == (0, None, None, None)
