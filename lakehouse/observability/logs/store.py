"""What a searchable store of logs does, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from lakehouse.errors import ConfigurationError
from lakehouse.observability.logs.query import LogQuery, Page
from lakehouse.observability.logs.record import KEYWORDS, LogRecord
from lakehouse.settings import Settings

MOST_RECORDS = 1000
"""Of a page."""
MOST_VALUES = 100
"""Of a count by a field."""


@dataclass(frozen=True)
class Capabilities:
    """Where stores differ."""

    name: str
    found_at_once: bool
    """Records are found as soon as they are added; otherwise within some seconds."""
    expires_by_itself: bool
    """It removes old records without being asked."""


class LogStore(Protocol):
    """Every method raises TransientError when the store is down, PermanentError when it refuses."""

    @property
    def capabilities(self) -> Capabilities:
        """Where this store differs from others."""
        ...

    def add(self, records: Sequence[LogRecord]) -> list[str]:
        """Keep these records, durably; those that it has already are not kept twice.

        Returns:
            Why records were refused for good, one line each; the others are kept.
        """
        ...

    def search(self, query: LogQuery, *, limit: int = 50, page: str | None = None) -> Page:
        """The newest records that fit; `page` is the `next` of the page before."""
        ...

    def count(self, query: LogQuery, by: str) -> dict[str, int]:
        """How many records fit by each value of a field, the most frequent first, at most MOST_VALUES."""
        ...

    def count_before(self, day: date) -> int:
        """How many records are of days (UTC) before this one."""
        ...

    def remove_before(self, day: date) -> int:
        """Remove the records of days (UTC) before this one; gives how many there were."""
        ...

    def close(self) -> None:
        """Give back what it holds open."""
        ...


def open_log_store(settings: Settings) -> LogStore:
    """Elasticsearch where the settings give its address, else SQLite in the home directory."""
    if settings.elasticsearch.url:
        from lakehouse.observability.logs.elasticsearch_store import ElasticsearchLogStore

        return ElasticsearchLogStore(settings.elasticsearch, keep_days=settings.retention.log_search_days)
    from lakehouse.observability.logs.sqlite_store import SqliteLogStore

    return SqliteLogStore(settings.home / "search" / "logs.db")


def checked_limit(limit: int) -> int:
    """Raises ConfigurationError for a page that is too large or empty."""
    if not 1 <= limit <= MOST_RECORDS:
        raise ConfigurationError(
            f"is not between 1 and {MOST_RECORDS}: {limit}", where="limit of a log search"
        )
    return limit


def checked_field(by: str) -> str:
    """Raises ConfigurationError for a field that is not counted by."""
    if by not in KEYWORDS:
        raise ConfigurationError(f"logs are not counted by {by!r}", remedy=f"known are {', '.join(KEYWORDS)}")
    return by
