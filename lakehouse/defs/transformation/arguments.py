"""The dbt command line of one asset run, from plain values."""

from __future__ import annotations

import json
from datetime import UTC

import dagster as dg


def build_arguments(window: dg.TimeWindow | None, *, full_refresh: bool) -> list[str]:
    """`dbt build` without unit tests (CI runs those); a window becomes the vars min_date and max_date.

    A full refresh drops the window: it rebuilds every day from its inputs.

    >>> build_arguments(None, full_refresh=True)
    ['build', '--exclude-resource-type', 'unit_test', '--full-refresh']
    """
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if full_refresh:
        return [*arguments, "--full-refresh"]
    if window is not None:
        arguments += ["--vars", json.dumps(window_vars(window))]
    return arguments


def window_vars(window: dg.TimeWindow) -> dict[str, str]:
    """Both as dates in UTC; `max_date` is exclusive."""
    return {
        "min_date": window.start.astimezone(UTC).date().isoformat(),
        "max_date": window.end.astimezone(UTC).date().isoformat(),
    }
