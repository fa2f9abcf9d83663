"""Which benchmarks of ingestion there are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from lakehouse.cli.bench.cases import chosen
from lakehouse.cli.bench.ingest_cdc import cdc
from lakehouse.cli.bench.ingest_files import files
from lakehouse.cli.bench.ingest_postgres import postgres
from lakehouse.cli.bench.ingest_protocol import protocol
from lakehouse.cli.bench.ingest_rest import rest
from lakehouse.cli.bench.ingest_sizes import sizes
from lakehouse.cli.bench.result import Result


def _in_scratch(case: Callable[[Path], list[Result]]) -> Callable[[float], list[Result]]:
    """A case of fixed size that needs a folder for its files."""

    def measured(_scale: float) -> list[Result]:
        with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as folder:
            return case(Path(folder))

    return measured


CASES: dict[str, Callable[[float], list[Result]]] = {
    "postgres": postgres,
    "cdc": cdc,
    "protocol": _in_scratch(protocol),
    "files": _in_scratch(files),
    "rest": rest,
    "sizes": sizes,
}


def measure(cases: Sequence[str], scale: float) -> list[Result]:
    """The named cases, all of them by default. Raises ConfigurationError for an unknown one."""
    return [result for case in chosen(cases, CASES) for result in CASES[case](scale)]
