"""Which benchmarks of ingestion there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lakehouse.cli.bench.ingest_cdc import cdc
from lakehouse.cli.bench.ingest_postgres import postgres
from lakehouse.cli.bench.result import Result
from lakehouse.errors import ConfigurationError

CASES: dict[str, Callable[[float], list[Result]]] = {"postgres": postgres, "cdc": cdc}


def measure(cases: Sequence[str], scale: float) -> list[Result]:
    """The named cases, all of them by default. Raises ConfigurationError for an unknown one."""
    unknown = [case for case in cases if case not in CASES]
    if unknown:
        raise ConfigurationError(f"unknown case {unknown[0]}", remedy=f"known are {', '.join(CASES)}")
    return [result for case in cases or CASES for result in CASES[case](scale)]
