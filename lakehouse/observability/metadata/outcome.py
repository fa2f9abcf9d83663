"""What became of one partition of one asset in one run: a row of `partition_outcomes`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

NO_PARTITION = ""


class Outcome(StrEnum):
    """Values of the column."""

    MADE = "made"
    CHECK_FAILED = "check failed"
    """It was made, and a check of error severity says that it is wrong."""
    FAILED = "failed"
    """Making it began and did not end well."""
    LEFT = "left"
    """The run, or the backfill, ended before making it began: something before it failed, or the run was killed."""
    PLANNED = "planned"
    """A backfill means to make it, or was killed before it came to that; `run_id` is the backfill's."""


@dataclass(frozen=True)
class PartitionOutcome:
    """A row."""

    run_id: str
    asset: str
    """The key, with slashes."""
    partition: str
    """`NO_PARTITION` for an asset without."""
    outcome: Outcome
    started: datetime | None
    ended: datetime | None
    rows: int | None
    why: str
