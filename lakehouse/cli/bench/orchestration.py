"""Which benchmarks of orchestration there are."""

from __future__ import annotations

from collections.abc import Sequence

from lakehouse.cli.bench.cases import results_of
from lakehouse.cli.bench.result import Result

CASES = {
    "load": "lakehouse.cli.bench.orchestration_load:load",
    "scale": "lakehouse.cli.bench.orchestration_scale:scale",
    "backfill": "lakehouse.cli.bench.orchestration_backfill:backfill",
    "changes": "lakehouse.cli.bench.orchestration_changes:changes",
    "soak": "lakehouse.cli.bench.orchestration_soak:soak",
}
"""Functions without arguments."""


def measure(cases: Sequence[str]) -> list[Result]:
    """The named cases, all of them by default. Raises ConfigurationError for an unknown one."""
    return results_of(cases, CASES)
