"""Whether the data is new enough, by the times in the data itself.

Dagster's freshness policy is about materializations: a dataset of which an old day is built again is fresh, and so
is one that runs every minute over a source that sends nothing. Neither makes the newest row any newer.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import dagster as dg

from lakehouse.defs.checks.look import Dataset, Facts, Kind, Look, is_table
from lakehouse.defs.policies import promised_freshness

_AHEAD = timedelta(days=2)
"""Today ends tomorrow, and a source's day may begin 14 hours before that of UTC."""


def _applies(dataset: Dataset) -> bool:
    """A dataset without days may rightly stay as it is for ever, unless it says which column tells how new it is."""
    return is_table(dataset) and _column(dataset) is not None


def _column(dataset: Dataset) -> str | None:
    if dataset.freshness and dataset.freshness.column:
        return dataset.freshness.column
    return dataset.partition_by.column if dataset.partition_by else None


def _look_at(dataset: Dataset, look: Look) -> Facts:
    from lakehouse.lake.column_bounds import newest_value

    column = _column(dataset) or ""
    stored = look.stored(dataset)
    newest = newest_value(stored.table, stored.files, column)
    if newest is None:
        return {"passed": False, "description": f"{column} has no value: there is no data"}
    return _judged(dataset, column, newest, look.now)


def _judged(dataset: Dataset, column: str, newest: date | datetime, now: datetime) -> Facts:
    promised = promised_freshness(dataset.key)
    end = dataset.partition_by.end if dataset.partition_by else None
    # A data set that ends is complete with its last day, and does not grow old after that.
    until = min(now, _midnight(end)) if end else now
    age = timedelta(seconds=max(0, int((until - _new_until(dataset, column, newest)).total_seconds())))
    severity, told = None, f"the newest {column} is {newest}"
    if _moment(newest) > now + _AHEAD:
        severity, told = (
            dg.AssetCheckSeverity.WARN,
            f"{told}: in the future, so nobody can tell how new the data is",
        )
    elif age > promised.fail_after:
        severity, told = dg.AssetCheckSeverity.ERROR, f"{told}, {age} ago; allowed is {promised.fail_after}"
    elif promised.warn_after and age > promised.warn_after:
        severity, told = dg.AssetCheckSeverity.WARN, f"{told}, {age} ago; expected is {promised.warn_after}"
    return {
        "passed": severity is None,
        "severity": severity or dg.AssetCheckSeverity.ERROR,
        "description": told,
        "metadata": {
            "column": column,
            "newest": str(newest),
            "age_seconds": age.total_seconds(),
            "warn_after_seconds": promised.warn_after.total_seconds() if promised.warn_after else None,
            "fail_after_seconds": promised.fail_after.total_seconds(),
        },
    }


def _new_until(dataset: Dataset, column: str, newest: date | datetime) -> datetime:
    """A month is new until it is over: its column may hold no other day than its first."""
    days = dataset.partition_by
    if days is None or days.granularity != "month" or column != days.column:
        return _moment(newest)
    return _midnight((newest.replace(day=1) + timedelta(days=31)).replace(day=1))


def _moment(newest: date | datetime) -> datetime:
    """The last moment that the value can be of: a day is new until it is over."""
    return newest if isinstance(newest, datetime) else _midnight(newest + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


DATA_IS_CURRENT = Kind(
    "data_is_current",
    "The newest data is as new as promised, by the times in the data and not by when it was built.",
    _applies,
    _look_at,
    grows_old=True,
)
