"""The one record that every line of every log becomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

import msgspec

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_OTHER_NAMES = {"WARN": "WARNING", "FATAL": "CRITICAL", "TRACE": "DEBUG", "NOTICE": "INFO", "LOG": "INFO"}
MOST_CHARACTERS = 32_000
"""Of a message; what is longer is cut."""
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a log. The same line always gives the same record, with the same `id`."""

    id: str
    """28 hexadecimal digits: of one source they are in the order in which it wrote."""
    timestamp: datetime
    """UTC, to the millisecond."""
    level: str
    """One of LEVELS."""
    service: str
    """Who wrote it: `airbyte`, `dbt`, `dremio`, `dagster`, …"""
    message: str
    job_id: str | None = None
    """Of Airbyte."""
    connection_id: str | None = None
    """Of Airbyte."""
    run_id: str | None = None
    """Of Dagster."""
    asset: str | None = None
    """Key of an asset: `bronze/shop/orders`."""
    partition: str | None = None
    records_synced: int | None = None
    bytes_synced: int | None = None


KEYWORDS = ("level", "service", "job_id", "connection_id", "run_id", "asset", "partition")
"""The fields that are searched for by their whole value."""


def record_id(source: str, number: int) -> str:
    """The id of the record that is line `number` of a source.

    >>> record_id("airbyte job 12", 3)
    'bbce23740a1d1d3a000000000003'
    """
    return f"{_digest(source)}{number:012x}"


@lru_cache(maxsize=1024)
def _digest(source: str) -> str:
    return blake2b(source.encode(), digest_size=8).hexdigest()


def level_of(name: str) -> str:
    """The level that a log calls so; INFO where the name says nothing.

    >>> level_of("warn"), level_of("ERROR"), level_of("stdout")
    ('WARNING', 'ERROR', 'INFO')
    """
    upper = name.upper()
    known = _OTHER_NAMES.get(upper, upper)
    return known if known in LEVELS else "INFO"


def moment(value: datetime | str | float | None, otherwise: datetime) -> datetime:
    """A time stamp (ISO 8601, or seconds since 1970) in UTC to the millisecond; `otherwise` for what is none.

    >>> moment("2026-11-28T10:00:00.123456+01:00", datetime.now(UTC)).isoformat()
    '2026-11-28T09:00:00.123000+00:00'
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float):
            value = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        value = None
    if value is None:
        value = otherwise
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if not EPOCH <= value < _LATEST:
        value = otherwise
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def milliseconds(value: datetime) -> int:
    """Since 1970, rounded up, so that a bound between two milliseconds leaves out the earlier."""
    return -((EPOCH - value) // MILLISECOND)


def shortened(message: str) -> str:
    """The message, or its first MOST_CHARACTERS."""
    return message if len(message) <= MOST_CHARACTERS else f"{message[: MOST_CHARACTERS - 1]}…"
