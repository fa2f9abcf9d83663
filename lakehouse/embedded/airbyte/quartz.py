"""Quartz cron expressions, as Airbyte writes schedules: second minute hour day-of-month month day-of-week [year].

croniter does the calendar. What differs is put right or refused here: Quartz counts weekdays from 1 (Sunday), wants
`?` in exactly one of the two day fields, and has `LW` and `L-3`, which croniter has not.
Source: https://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, CroniterError, croniter

_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}
_DAY = r"([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)"
_DAY_RANGE = re.compile(rf"{_DAY}(?:-{_DAY})?(/\d+)?")
_NTH_DAY = re.compile(rf"{_DAY}#([1-5])")
_LAST_DAY = re.compile(rf"{_DAY}L")
_FIELD = re.compile(r"[0-9A-Z*?/,#-]+")


class CronError(ValueError):
    """An expression or time zone that cannot be a schedule; one line that says why."""


def check_cron(expression: str, time_zone: str) -> None:
    """Raises CronError unless the expression will fire in the time zone (an IANA name) some day."""
    next_fire(expression, time_zone, int(datetime.now(UTC).timestamp() * 1000))


def next_fire(expression: str, time_zone: str, after_ms: int) -> int:
    """The first moment after `after_ms` at which the expression fires, both in epoch milliseconds.

    Raises CronError.
    """
    zone = _zone(time_zone)
    start = datetime.fromtimestamp(after_ms // 1000, zone)
    try:
        moments = croniter(_translated(expression), start, second_at_beginning=True)
        moment: datetime = moments.get_next(datetime)
    except CroniterBadDateError:
        raise CronError(f"cron expression {expression}: it never fires") from None
    except CroniterError as error:
        raise CronError(f"cron expression {expression}: {error}") from None
    return int(moment.timestamp() * 1000)


def is_time_zone(name: str) -> bool:
    """Whether a name is an IANA time zone."""
    try:
        _zone(name)
    except CronError:
        return False
    return True


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CronError(f"time zone {name} is unknown; use an IANA name such as Europe/Berlin") from None


def _translated(expression: str) -> str:
    """The expression as croniter reads it."""
    fields = expression.upper().split()
    if len(fields) not in (6, 7):
        raise CronError(
            f"cron expression {expression}: {len(fields)} fields; Quartz has 6 or 7, the first is seconds:"
            " second minute hour day-of-month month day-of-week [year]"
        )
    for field in fields:
        if not _FIELD.fullmatch(field):
            raise CronError(f"cron expression {expression}: {field} is not understood")
    day, weekday, problem = fields[3], fields[5], f"cron expression {expression}: "
    if (day == "?") == (weekday == "?"):
        raise CronError(problem + "exactly one of day-of-month and day-of-week must be ?")
    if "L" in day and day != "L":
        raise CronError(f"{problem}day-of-month {day} is not supported; use L or a number")
    if weekday not in ("?", "*"):
        fields[5] = ",".join(_weekday(item, problem) for item in weekday.split(","))
    return " ".join(fields)


def _weekday(item: str, problem: str) -> str:
    if item == "L":
        return str(_DAYS["SAT"])
    if found := _LAST_DAY.fullmatch(item):
        return f"L{_number(found[1])}"
    if found := _NTH_DAY.fullmatch(item):
        return f"{_number(found[1])}#{found[2]}"
    if found := _DAY_RANGE.fullmatch(item):
        until = f"-{_number(found[2])}" if found[2] else ""
        return f"{_number(found[1])}{until}{found[3] or ''}"
    raise CronError(f"{problem}day-of-week {item}: use 1 (Sunday) to 7, names, L or #")


def _number(day: str) -> int:
    return _DAYS[day] if day in _DAYS else int(day) - 1
