"""Why a run happened: a tag on every run that the platform asks for, and what Dagster's own tags tell of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

WHY = "lakehouse/why"
_FROM_CONDITION = ("dagster/from_automation_condition", "dagster/auto_materialize")


class Why:
    """Values of the tag: plain text, since Dagster's events hold no enumeration of ours.

    A run without it was launched by a person in the Dagster UI, or by a Dagster backfill.
    """

    SCHEDULE = "schedule"
    CHANGES = "changes"
    """Something landed that bronze, or what is made of it, does not have yet."""
    AUTOMATION = "automation"
    """A declarative condition."""
    BACKFILL = "backfill"
    REFRESH = "refresh"
    """`lakehouse refresh` or `lakehouse demo`."""
    PERSON = "person"
    """Somebody in the Dagster UI; no run has it as a tag."""


def why(run: dg.DagsterRun) -> str:
    """Why the run happened, for people.

    Our own tag says it best: a backfill that a condition or a sensor asked for is not a person's.
    """
    if told := run.tags.get(WHY):
        return told
    if any(run.tags.get(tag) == "true" for tag in _FROM_CONDITION):
        return Why.AUTOMATION
    if "dagster/schedule_name" in run.tags:
        return Why.SCHEDULE
    if "dagster/sensor_name" in run.tags:
        return Why.CHANGES
    if "dagster/backfill" in run.tags:
        return Why.BACKFILL
    return Why.PERSON
