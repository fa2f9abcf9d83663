"""What one kind of cleaning removed, or would remove."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Removed:
    """One line of the report."""

    what: str
    count: int
    bytes: int | None = None
    note: str = ""
