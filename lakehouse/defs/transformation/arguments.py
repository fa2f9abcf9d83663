"""The dbt command line of one asset run, from plain values."""

from __future__ import annotations

import json
from datetime import UTC

import dagster as dg


def days_of(window: dg.TimeWindow) -> tuple[str, str]:
    """The window as ISO dates in UTC: its first day and the day after its last."""
    return window.start.astimezone(UTC).date().isoformat(), window.end.astimezone(UTC).date().isoformat()


def build_arguments(days: tuple[str, str] | None, *, full_refresh: bool) -> list[str]:
    """`dbt build` without unit tests (CI runs those); days become the vars min_date and max_date (exclusive).

    A full refresh drops them: it rebuilds every day from its inputs.

    >>> build_arguments(None, full_refresh=True)
    ['build', '--exclude-resource-type', 'unit_test', '--full-refresh']
    """
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if full_refresh:
        return [*arguments, "--full-refresh"]
    if days is not None:
        arguments += ["--vars", json.dumps({"min_date": days[0], "max_date": days[1]})]
    return arguments
