"""Why a run happened: a tag on every run that the platform asks for."""

from __future__ import annotations

from enum import StrEnum

WHY = "lakehouse/why"


class Why(StrEnum):
    """Values of the tag. A run without it was launched by a person in the Dagster UI, or by a Dagster backfill."""

    SCHEDULE = "schedule"
    CHANGES = "changes"
    """Something landed that bronze, or what is made of it, does not have yet."""
    AUTOMATION = "automation"
    """A declarative condition."""
    BACKFILL = "backfill"
    REFRESH = "refresh"
    """`lakehouse refresh` or `lakehouse demo`."""
