"""What dbt is told of a run's window, from plain values."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lakehouse.defs.transformation.arguments import build_arguments
from lakehouse.defs.transformation.window import Window

BERLIN = ZoneInfo("Europe/Berlin")


def test_days_of_a_time_zone_begin_at_its_midnight() -> None:
    window = Window(datetime(2025, 3, 30, tzinfo=BERLIN), datetime(2025, 3, 31, tzinfo=BERLIN))
    assert window.dates == ("2025-03-30", "2025-03-31")
    assert window.times == ("2025-03-29 23:00:00", "2025-03-30 22:00:00")  # a day of 23 hours


@pytest.mark.parametrize(
    ("lookback", "read"),
    [
        (timedelta(), {}),
        (timedelta(days=1), {"read_date": "2025-03-30", "read_time": "2025-03-29 23:00:00"}),
        (timedelta(days=30), {"read_date": "2025-03-01", "read_time": "2025-02-28 23:00:00"}),
    ],
)
def test_a_lookback_moves_only_where_reading_begins(lookback: timedelta, read: dict[str, str]) -> None:
    window = Window(datetime(2025, 3, 31, tzinfo=BERLIN), datetime(2025, 4, 2, tzinfo=BERLIN), lookback)
    assert window.variables() == {
        "min_date": "2025-03-31",
        "max_date": "2025-04-02",
        "min_time": "2025-03-30 22:00:00",
        "max_time": "2025-04-01 22:00:00",
        **read,
    }


def test_hours_are_not_told_in_dates() -> None:
    utc = ZoneInfo("UTC")
    start, end = datetime(2025, 1, 1, 0, tzinfo=utc), datetime(2025, 1, 1, 2, tzinfo=utc)
    assert Window(start, end, timedelta(hours=3), whole_days=False).variables() == {
        "min_time": "2025-01-01 00:00:00",
        "max_time": "2025-01-01 02:00:00",
        "read_time": "2024-12-31 21:00:00",
    }


def test_a_full_refresh_has_no_window() -> None:
    window = Window(
        datetime(2025, 3, 30, tzinfo=BERLIN), datetime(2025, 3, 31, tzinfo=BERLIN), timedelta(days=1)
    )
    assert build_arguments(window, full_refresh=True)[-1] == "--full-refresh"
    assert "--vars" not in build_arguments(window, full_refresh=True)
    assert json.loads(build_arguments(window, full_refresh=False)[-1]) == window.variables()
