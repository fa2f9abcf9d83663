"""The period of a partition: its start as a value, in SQL, in Iceberg's stored form and in a file's path."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Literal

from pyiceberg.transforms import DayTransform, HourTransform, IdentityTransform, MonthTransform, Transform
from pyiceberg.types import DateType, IcebergType

Granularity = Literal["hour", "day", "month"]
Period = date
"""Its first day; of an hour a datetime, in UTC and without a zone."""

_EPOCH = date(1970, 1, 1)
_HOUR_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  as the periods are
_TRANSFORMS: dict[Granularity, Transform[Any, int]] = {
    "hour": HourTransform(),
    "day": DayTransform(),
    "month": MonthTransform(),
}
_SQL = {
    "hour": "date_trunc('hour', CAST({value} AS TIMESTAMP))",
    "day": "CAST({value} AS DATE)",
    "month": "CAST(date_trunc('month', CAST({value} AS DATE)) AS DATE)",
}
_PATHS = {"hour": "%Y-%m-%d-%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


def period_sql(value: str, granularity: Granularity) -> str:
    """DuckDB SQL of the start of a date's or timestamp's period, for a session in UTC."""
    return _SQL[granularity].format(value=value)


def no_period_sql(granularity: Granularity) -> str:
    """SQL of a row without one, of the same type."""
    return f"CAST(NULL AS {period_type(granularity)})"


def period_type(granularity: Granularity) -> str:
    """The DuckDB type of the start."""
    return "TIMESTAMP" if granularity == "hour" else "DATE"


def transform_of(kind: IcebergType, granularity: Granularity) -> Transform[Any, Any]:
    """The partition transform of a column.

    Days of a DATE column are the column itself, which gives the same partitions: that is what Dremio writes for
    PARTITION BY (column), and what every engine can prune on without knowing transforms.
    """
    if granularity == "day" and isinstance(kind, DateType):
        return IdentityTransform()
    return _TRANSFORMS[granularity]


def stored(period: Period | None, granularity: Granularity) -> int | None:
    """Iceberg's stored form: hours, days or months since 1970."""
    if period is None:
        return None
    if isinstance(period, datetime):
        return (period - _HOUR_EPOCH) // timedelta(hours=1)
    if granularity == "month":
        return (period.year - _EPOCH.year) * 12 + period.month - 1
    return (period - _EPOCH).days


def read_stored(value: Any, granularity: Granularity) -> Period | None:
    """The period of a stored value."""
    if value is None or isinstance(value, date):
        return value
    if granularity == "hour":
        return _HOUR_EPOCH + timedelta(hours=value)
    if granularity == "month":
        return date(_EPOCH.year + value // 12, value % 12 + 1, 1)
    return _EPOCH + timedelta(days=value)


def granularity_of(transform: Transform[Any, Any]) -> Granularity | None:
    """The periods that a table's transform makes of a date or timestamp; None when it makes none."""
    if isinstance(transform, IdentityTransform):
        return "day"
    return next((name for name, known in _TRANSFORMS.items() if known == transform), None)


def in_path(period: Period | None, granularity: Granularity) -> str:
    """The value in a data file's path."""
    return period.strftime(_PATHS[granularity]) if period else "null"
