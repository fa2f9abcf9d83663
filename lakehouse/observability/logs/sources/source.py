"""What a source of logs does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from lakehouse.observability.logs.spool import Collected

MOST_RECORDS = 2500
"""Collected in one transaction, a little more where lines come in blocks."""


class Source(Protocol):
    name: str
    every_seconds: float
    """How often it is looked at."""

    def look(self) -> Iterator[Collected]:
        """What is new, in order. Each is kept before the next is asked for.

        Raises:
            TransientError: it is down; it is looked at again later.
            PermanentError: it refuses; it is looked at again later too, since settings of a server change.
        """
        ...
