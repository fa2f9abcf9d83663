"""Quartz expressions, and what they mean in moments."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from lakehouse.embedded.airbyte.quartz import CronError, check_cron, next_fire


def fires(expression: str, after: str, zone: str = "UTC", count: int = 1) -> list[str]:
    moment = int(datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    found = []
    for _ in range(count):
        moment = next_fire(expression, zone, moment)
        found.append(datetime.fromtimestamp(moment / 1000, ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * * ?", "Mon 2026-11-23 16:00:01"),
        ("0/15 * * * * ?", "Mon 2026-11-23 16:00:15"),
        ("0 0 12 * * ? 2027", "Fri 2027-01-01 12:00:00"),
        ("0 0 8-10/2 ? * MON-FRI", "Tue 2026-11-24 08:00:00"),
        ("0 0 12 ? * 1", "Sun 2026-11-29 12:00:00"),
        ("0 0 12 ? * 2,4", "Wed 2026-11-25 12:00:00"),
        ("0 0 0 ? * 6-7", "Fri 2026-11-27 00:00:00"),
        ("0 0 0 ? * 6#3", "Fri 2026-12-18 00:00:00"),
        ("0 0 0 ? * 6L", "Fri 2026-11-27 00:00:00"),
        ("0 0 0 ? * sunL", "Sun 2026-11-29 00:00:00"),
        ("0 0 0 ? * L", "Sat 2026-11-28 00:00:00"),
        ("0 0 0 L * ?", "Mon 2026-11-30 00:00:00"),
        ("0 0 0 15W 8 ?", "Mon 2027-08-16 00:00:00"),
    ],
)
def test_a_quartz_expression_fires_when_quartz_says(expression: str, expected: str) -> None:
    assert fires(expression, "2026-11-23 16:00:00") == [expected]


def test_a_time_zone_is_that_of_its_summer_too() -> None:
    assert fires("0 0 12 * * ?", "2027-03-27 06:00", "Europe/Berlin", 2) == [
        "Sat 2027-03-27 12:00:00",
        "Sun 2027-03-28 12:00:00",
    ]


@pytest.mark.parametrize(
    ("expression", "zone", "problem"),
    [
        ("0 0 * * *", "UTC", "5 fields; Quartz has 6 or 7, the first is seconds"),
        ("0 0 0 * * *", "UTC", "exactly one of day-of-month and day-of-week must be ?"),
        ("0 0 0 ? * ?", "UTC", "exactly one of day-of-month and day-of-week must be ?"),
        ("0 0 0 1 1 ? 2020", "UTC", "it never fires"),
        ("0 0 0 30 2 ?", "UTC", "it never fires"),
        ("0 0 0 LW * ?", "UTC", "day-of-month LW is not supported"),
        ("0 0 0 ? * 0", "UTC", "day-of-week 0: use 1 (Sunday) to 7"),
        ("99 0 0 ? * 1", "UTC", "cron expression 99 0 0 ? * 1"),
        ("0 0 0 r(1-9) * ?", "UTC", "R(1-9) is not understood"),
        ("0 0 0 * * ?", "Mars/Olympus", "time zone Mars/Olympus is unknown"),
    ],
)
def test_what_cannot_be_a_schedule_says_why(expression: str, zone: str, problem: str) -> None:
    with pytest.raises(CronError) as caught:
        check_cron(expression, zone)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
