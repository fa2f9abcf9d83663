"""The demo's pipeline, stage by stage."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.cli.bench.result import Result, at_most

if TYPE_CHECKING:
    from lakehouse.defs.automation.refresh import Step
    from lakehouse.settings import Settings

PIPELINE_BUDGET_SECONDS = 90.0


def measure(scale: float, *, quiet: bool) -> list[Result]:
    """Runs the pipeline twice in a home of its own."""
    from lakehouse.cli.demo import prepare_shop, run_pipeline
    from lakehouse.cli.demo_report import Progress
    from lakehouse.cli.running import load_graph, running_services
    from lakehouse.cli.services import embedded_settings
    from lakehouse.settings import load_settings

    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as directory:
        settings = embedded_settings(load_settings(Path(directory)))
        progress = Progress(quiet=quiet)
        with running_services(settings, progress):
            prepare_shop(settings, scale, seed=7, reset=False)
            bare = _bare_reads(settings)
            first, first_seconds = _timed(
                lambda: run_pipeline(load_graph(settings, progress, "demo"), settings, progress)
            )
            _, second_seconds = _timed(
                lambda: run_pipeline(load_graph(settings, progress, "demo"), settings, progress)
            )
    return _results(first, first_seconds, second_seconds, bare)


def _timed(work: Callable[[], list[Step]]) -> tuple[list[Step], float]:
    started = time.monotonic()
    steps = work()
    return steps, time.monotonic() - started


def _results(steps: list[Step], first: float, second: float, bare: float) -> list[Result]:
    seconds: dict[str, float] = {}
    for step in steps:
        seconds[step.name] = seconds.get(step.name, 0.0) + step.result.seconds
    landing = seconds.pop("landing", 0.0)
    results = [
        at_most("demo.pipeline", first, PIPELINE_BUDGET_SECONDS, goal=1.0, of="the budget"),
        at_most("demo.landing", landing, bare, goal=5.0, of="bare reads"),
        at_most("demo.second_run", second, first, goal=0.5, of="the first run"),
    ]
    for name, stage in seconds.items():
        results.append(at_most(f"demo.stage.{name.replace(' ', '')}", stage, first, goal=1.0, of="the run"))
    return results


def _bare_reads(settings: Settings) -> float:
    """Seconds to read the sources with nothing else done: COPY of the shop, and the flights' CSV."""
    from lakehouse.demo.shop import connect
    from lakehouse.demo.truth import flights_folder, read_flights

    started = time.monotonic()
    with connect(settings.postgres) as connection, connection.cursor() as cursor:
        for table in ("customers", "products", "orders", "order_items"):
            with cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)".encode()) as copy:
                for _ in copy:
                    pass
    read_flights(flights_folder())
    return time.monotonic() - started
