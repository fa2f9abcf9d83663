"""Declared partitions as Dagster's, and their keys: `2025-01-31-05:00`, `2025-01-31` and `2025-01`, which sort by time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import dagster as dg

from lakehouse.catalog.meta import Granularity, PartitionBy

KEY_FORMATS: dict[Granularity, str] = {"hour": "%Y-%m-%d-%H:%M", "day": "%Y-%m-%d", "month": "%Y-%m"}
_BY_LENGTH: dict[int, Granularity] = {16: "hour", 10: "day", 7: "month"}


def partitions_of(declared: PartitionBy | None) -> dg.TimeWindowPartitionsDefinition | None:
    """The partitions of a dataset; equal declarations give one and the same definition.

    A data set without an end gets the partition of now too, which is still filling.
    """
    if declared is None:
        return None
    return _partitions(declared.granularity, declared.start, declared.end, declared.timezone)


def mapping_of(
    upstream: PartitionBy | None, declared: PartitionBy | None, lookback: timedelta | None
) -> dg.PartitionMapping | None:
    """Which partitions of `upstream` a partition is made of; None where Dagster's own answer is right.

    With a lookback also those before it, which the catalogue allows for equal partitions only.
    """
    if upstream is None or declared is None:
        return None
    if lookback:
        periods = lookback // timedelta(**{f"{declared.granularity}s": 1})
        return dg.TimeWindowPartitionMapping(
            start_offset=-periods, allow_nonexistent_upstream_partitions=True
        )
    if partitions_of(upstream) == partitions_of(declared):
        return None
    return dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)


def keys_within(keys: Iterable[str], first: date | None, last: date | None) -> list[str]:
    """The keys of the periods that have a day of the range; None is without a bound.

    >>> keys_within(["2025-01", "2025-02", "2025-03"], date(2025, 1, 31), date(2025, 2, 1))
    ['2025-01', '2025-02']
    """
    begins = first.isoformat() if first else ""
    ends = last.isoformat() if last else "9"
    return [key for key in keys if begins[: len(key)] <= key[:10] <= ends[: len(key)]]


def next_key(key: str) -> str:
    """The key of the next period.

    >>> next_key("2024-12"), next_key("2024-12-31"), next_key("2024-12-31-23:00")
    ('2025-01', '2025-01-01', '2025-01-01-00:00')
    """
    granularity = _BY_LENGTH[len(key)]
    start = datetime.strptime(key, KEY_FORMATS[granularity])  # noqa: DTZ007  a period's name, no instant
    if granularity == "month":
        following = (start + timedelta(days=31)).replace(day=1)
    else:
        following = start + timedelta(**{f"{granularity}s": 1})
    return following.strftime(KEY_FORMATS[granularity])


def days_between(first: str, last: str) -> tuple[str, str]:
    """The first and the last day of the periods from one key to another.

    >>> days_between("2025-01", "2025-02"), days_between("2025-01-31-05:00", "2025-02-01-06:00")
    (('2025-01-01', '2025-02-28'), ('2025-01-31', '2025-02-01'))
    """
    if _BY_LENGTH[len(first)] != "month":
        return first[:10], last[:10]
    return f"{first}-01", (date.fromisoformat(f"{next_key(last)}-01") - timedelta(days=1)).isoformat()


@cache
def _partitions(
    granularity: Granularity, start: date, end: date | None, timezone: str
) -> dg.TimeWindowPartitionsDefinition:
    kinds = {
        "hour": dg.HourlyPartitionsDefinition,
        "day": dg.DailyPartitionsDefinition,
        "month": dg.MonthlyPartitionsDefinition,
    }
    return kinds[granularity](
        start_date=_midnight(start, timezone),
        end_date=_midnight(end, timezone) if end else None,
        timezone=timezone,
        fmt=KEY_FORMATS[granularity],
        end_offset=0 if end else 1,
    )


def _midnight(day: date, timezone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(timezone))
