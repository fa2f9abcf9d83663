"""Time as Airbyte writes it: epoch milliseconds inside, ISO 8601 in UTC on the public API."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def epoch_ms() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def iso_moment(ms: int) -> str:
    """An instant as `2026-11-22T10:00:00Z`."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_duration(ms: int) -> str:
    """A length of time as `PT1H2M3S`."""
    hours, rest = divmod(max(ms, 0) // 1000, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    return "PT" + parts + (f"{seconds}S" if seconds or not parts else "")


def parse_moment(text: str) -> int:
    """An ISO 8601 instant (UTC where it names no offset) in epoch milliseconds. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
