"""Bronze tables by hour and by month: Iceberg's transforms, merges that move rows between periods, and refusals."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.transforms import HourTransform, MonthTransform

from lakehouse.errors import PermanentError
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import PeriodPartition
from lakehouse.lake.periods import Granularity, in_path, read_stored, stored
from lakehouse_tests.lake.conftest import EPOCH

FIELDS = {"order_id": pa.int64(), "placed_at": pa.timestamp("us", "UTC"), "placed_on": pa.date32()}
BEFORE, AFTER = datetime(1969, 12, 31, 23), datetime(2025, 3, 1, 5)
HOURS = PeriodPartition("placed_at", granularity="hour")


def order(number: int, at: datetime | None) -> dict[str, Any]:
    return {
        "order_id": number,
        "placed_at": at.replace(minute=59, tzinfo=UTC) if at else None,
        "placed_on": at.date() if at else None,
    }


@pytest.mark.parametrize(
    ("granularity", "period", "number", "path"),
    [
        ("hour", BEFORE, -1, "1969-12-31-23"),
        ("hour", AFTER, 20_148 * 24 + 5, "2025-03-01-05"),
        ("day", date(1969, 12, 31), -1, "1969-12-31"),
        ("month", date(1969, 12, 1), -1, "1969-12"),
        ("month", date(2025, 3, 1), 662, "2025-03"),
        ("month", None, None, "null"),
    ],
)
def test_periods_are_stored_as_iceberg_does(
    granularity: Granularity, period: date | None, number: int | None, path: str
) -> None:
    assert stored(period, granularity) == number
    assert read_stored(number, granularity) == period
    assert in_path(period, granularity) == path


@pytest.mark.parametrize(
    ("partition", "transform", "periods"),
    [
        (HOURS, HourTransform(), (BEFORE, AFTER)),
        (PeriodPartition("placed_at", granularity="month"), MonthTransform(), (date(1969, 12, 1), date(2025, 3, 1))),
        (PeriodPartition("placed_on", granularity="month"), MonthTransform(), (date(1969, 12, 1), date(2025, 3, 1))),
    ],
    ids=["hours", "months of a timestamp", "months of a date"],
)  # fmt: skip
def test_rows_move_between_periods(
    lake: Any, partition: PeriodPartition, transform: Any, periods: tuple[date, date]
) -> None:
    early, late = periods
    spec = lake.spec(partition=partition)
    lake.land([order(1, BEFORE), order(2, AFTER), order(3, AFTER), order(4, None)], FIELDS)
    assert merge_table(spec, lake.settings).partitions == {early: 1, late: 2, None: 1}
    table = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    assert [field.transform for field in table.spec().fields] == [transform]
    lake.land([order(2, BEFORE), order(4, AFTER)], FIELDS, epoch=EPOCH + 1)
    assert merge_table(spec, lake.settings).partitions == {early: 2, late: 2, None: 0}
    assert merge_table(spec, lake.settings).committed is False
    column = partition.column
    value = "1970-01-01T00:00:00+00:00" if column == "placed_at" else "1970-01-01"
    found = table.refresh().scan(row_filter=f"{column} < '{value}'")  # other engines prune by the transform
    assert sorted(found.to_arrow()["order_id"].to_pylist()) == [1, 2]
    assert len(list(found.plan_files())) == 1
    assert lake.rows(["order_id"]).keys() == {1, 2, 3, 4}


def test_what_does_not_fit_is_refused(lake: Any) -> None:
    lake.land([order(1, AFTER)], FIELDS)
    with pytest.raises(PermanentError, match="is landed as date, which has no hours"):
        merge_table(lake.spec(partition=PeriodPartition("placed_on", granularity="hour")), lake.settings)
    merge_table(lake.spec(partition=HOURS), lake.settings)
    with pytest.raises(PermanentError, match="by hour of placed_at, declared is month of placed_at"):
        merge_table(lake.spec(partition=PeriodPartition("placed_at", granularity="month")), lake.settings)
