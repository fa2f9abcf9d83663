"""Which benchmarks of serving there are."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from lakehouse.cli.bench.result import Result
from lakehouse.errors import ConfigurationError

CASES = {
    "dashboard": "lakehouse.cli.bench.serving_dashboard:dashboard",
    "metrics": "lakehouse.cli.bench.serving_metrics:metrics",
    "api": "lakehouse.cli.bench.serving_api:api",
    "flight": "lakehouse.cli.bench.serving_flight:flight",
    "logs": "lakehouse.cli.bench.serving_logs:logs",
}
"""Each case is a function that gives its results, imported when it is run."""


def measure(cases: Sequence[str], *, log_records: int = 2_000_000) -> list[Result]:
    """The named cases, all of them by default. Raises ConfigurationError for an unknown one."""
    options = {"logs": {"records": log_records}}
    unknown = [case for case in cases if case not in CASES]
    if unknown:
        raise ConfigurationError(f"unknown case {unknown[0]}", remedy=f"known are {', '.join(CASES)}")
    results: list[Result] = []
    for case in cases or CASES:
        module, _, function = CASES[case].partition(":")
        results += getattr(import_module(module), function)(**options.get(case, {}))
    return results
