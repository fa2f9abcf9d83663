"""The window of a run, as SQL and dbt's variables have it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from lakehouse.catalog.datasets import Model

_TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Window:
    """From `start` up to, and not including, `end`; both in the time zone of the partitions."""

    start: datetime
    end: datetime
    lookback: timedelta = timedelta()
    """How far before `start` a run may read."""
    whole_days: bool = True
    """Whether it can be told in dates: not when the periods are hours."""

    @property
    def dates(self) -> tuple[str, str]:
        """The first day, and the day after the last, in the partitions' time zone."""
        return self.start.date().isoformat(), self.end.date().isoformat()

    @property
    def times(self) -> tuple[str, str]:
        """The same as instants in UTC."""
        return _instant(self.start), _instant(self.end)

    def variables(self) -> dict[str, str]:
        """dbt's variables, which the macro `in_window` reads.

        >>> Window(datetime(2025, 1, 2, tzinfo=UTC), datetime(2025, 1, 3, tzinfo=UTC), whole_days=False).variables()
        {'min_time': '2025-01-02 00:00:00', 'max_time': '2025-01-03 00:00:00'}
        """
        named = dict(zip(("min_time", "max_time"), self.times, strict=True))
        if self.whole_days:
            named |= zip(("min_date", "max_date"), self.dates, strict=True)
        if self.lookback:
            read_from = (
                self.start - self.lookback
            )  # by the clock on the wall: days of 23 and 25 hours are days
            named["read_time"] = _instant(read_from)
            if self.whole_days:
                named["read_date"] = read_from.date().isoformat()
        return named


def window_of(window: dg.TimeWindow, model: Model) -> Window:
    """The window of a run of this model's partitions."""
    whole_days = model.partition_by is None or model.partition_by.granularity != "hour"
    return Window(window.start, window.end, model.lookback or timedelta(), whole_days)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)
