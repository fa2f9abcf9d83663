"""The dbt command line of one asset run, from plain values."""

from __future__ import annotations

import json
from collections.abc import Collection

from lakehouse.defs.transformation.window import Window


def build_arguments(window: Window | None, only: Collection[str] = (), *, full_refresh: bool) -> list[str]:
    """`dbt build` without unit tests (CI runs those), with the window as variables.

    A full refresh drops them: it rebuilds everything from its inputs.

    Args:
        window: of the run; None for models without partitions.
        only: the days of the window to build, ISO dates; all of them when empty.
        full_refresh: whether to build everything.

    >>> build_arguments(None, full_refresh=True)
    ['build', '--exclude-resource-type', 'unit_test', '--full-refresh']
    """
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    if full_refresh:
        return [*arguments, "--full-refresh"]
    if window is not None:
        arguments += ["--vars", json.dumps(window.variables() | ({"days": sorted(only)} if only else {}))]
    return arguments
