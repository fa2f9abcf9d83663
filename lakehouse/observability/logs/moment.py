"""When: as people write it who search logs."""

from __future__ import annotations

from datetime import UTC, datetime

from lakehouse.catalog.meta import parse_duration
from lakehouse.errors import ConfigurationError


def moment(text: str | None, where: str) -> datetime | None:
    """A time stamp, of UTC where it says nothing else, or how long ago, such as `30m`; None stays None.

    Raises:
        ConfigurationError: it is neither; names `where` it was written.

    >>> moment("2026-11-28T10:00", "--since")
    datetime.datetime(2026, 11, 28, 10, 0, tzinfo=datetime.timezone.utc)
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return datetime.now(UTC) - parse_duration(text)
    except (ValueError, OverflowError) as error:
        problem = f"{error}; or a time stamp such as 2026-11-28T10:00"
        raise ConfigurationError(problem, where=where) from None
