"""`lakehouse bench …`: how long things take, beside a yardstick measured in the same run."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lakehouse.defs.automation.refresh import Step
    from lakehouse.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="Measure the lakehouse on this machine.", rich_markup_mode="markdown"
)

PIPELINE_BUDGET_SECONDS = 90.0


@app.callback()
def bench() -> None:
    """Measure the lakehouse on this machine."""


@dataclass(frozen=True)
class Result:
    """One figure; `ratio` is value / baseline, both in `unit`."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
    goal: str
    met: bool


@app.command()
def demo(
    *,
    scale: Annotated[float, typer.Option(min=0.001, max=20, help="Size of the shop.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the demo's pipeline twice in a home of its own, and time its stages.

    Yardsticks: reading the same sources bare (COPY out of Postgres, pyarrow's CSV reader) for the syncs, the
    budget of 90 s for the whole pipeline, and the first run for the second, which has nothing to do.
    """
    from lakehouse.cli.demo import load_graph, prepare_shop, run_pipeline, running_services
    from lakehouse.cli.demo_report import Progress
    from lakehouse.cli.services import embedded_settings
    from lakehouse.settings import load_settings

    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as directory:
        settings = embedded_settings(load_settings(Path(directory)))
        progress = Progress(quiet=as_json)
        with running_services(settings, progress):
            prepare_shop(settings, scale, seed=7, reset=False)
            bare = _bare_reads(settings)
            first, first_seconds = _timed(
                lambda: run_pipeline(load_graph(settings, progress), settings, progress)
            )
            _, second_seconds = _timed(
                lambda: run_pipeline(load_graph(settings, progress), settings, progress)
            )
    results = _results(first, first_seconds, second_seconds, bare)
    if as_json:
        print(json.dumps({"results": [asdict(result) for result in results]}, indent=1))
        return
    for result in results:
        mark = "✓" if result.met else "✗"
        figures = (
            f"{result.value:8.2f} {result.unit} = {result.ratio:5.2f} x {result.baseline:.2f} {result.unit}"
        )
        progress.console.print(f"{mark} {result.name:<36} {figures}  {result.goal}")


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
        _result("demo.pipeline", first, PIPELINE_BUDGET_SECONDS, "at most 1.0 of the budget", 1.0),
        _result("demo.landing", landing, bare, "at most 5 times bare reads", 5.0),
        _result("demo.second_run", second, first, "at most 0.5 of the first", 0.5),
    ]
    results += [
        _result(f"demo.stage.{name}", value, first, "none; its share of the pipeline", 1.0)
        for name, value in seconds.items()
    ]
    return results


def _result(name: str, value: float, baseline: float, goal: str, most: float) -> Result:
    ratio = value / baseline
    return Result(
        name.replace(" ", ""), round(value, 3), "s", round(baseline, 3), round(ratio, 3), goal, ratio <= most
    )


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
