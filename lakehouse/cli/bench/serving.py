"""Which benchmarks of serving there are."""

from __future__ import annotations

from collections.abc import Sequence

from lakehouse.cli.bench.cases import results_of
from lakehouse.cli.bench.result import Result

CASES = {
    "dashboard": "lakehouse.cli.bench.serving_dashboard:dashboard",
    "metrics": "lakehouse.cli.bench.serving_metrics:metrics",
    "api": "lakehouse.cli.bench.serving_api:api",
    "flight": "lakehouse.cli.bench.serving_flight:flight",
    "logs": "lakehouse.cli.bench.serving_logs:logs",
}


def measure(cases: Sequence[str], *, log_records: int = 2_000_000) -> list[Result]:
    """The named cases, all of them by default. Raises ConfigurationError for an unknown one."""
    return results_of(cases, CASES, {"logs": {"records": log_records}})
