"""Declared partitions as Dagster's: days in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, time
from functools import cache

import dagster as dg

from lakehouse.catalog.meta import PartitionBy


def partitions_of(declared: PartitionBy | None) -> dg.DailyPartitionsDefinition | None:
    """The partitions of a dataset; equal declarations give one and the same definition.

    A data set without an end gets today's partition too, which is still filling.
    """
    if declared is None:
        return None
    return _daily(declared.start.isoformat(), declared.end.isoformat() if declared.end else None)


@cache
def _daily(start: str, end: str | None) -> dg.DailyPartitionsDefinition:
    return dg.DailyPartitionsDefinition(
        start_date=datetime.combine(datetime.fromisoformat(start), time(), UTC),
        end_date=datetime.combine(datetime.fromisoformat(end), time(), UTC) if end else None,
        timezone="UTC",
        end_offset=0 if end else 1,
    )
