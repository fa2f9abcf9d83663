"""`lakehouse demo`: the main job from a live database and files to answers over Flight and REST."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lakehouse.cli.demo_report import Progress
    from lakehouse.defs.automation.execute import Runner
    from lakehouse.defs.automation.refresh import Step
    from lakehouse.settings import Settings

app = typer.Typer(
    invoke_without_command=True,
    help="Build a lakehouse from a live database and from files, and ask it questions.",
    rich_markup_mode="markdown",
)
_SEED = 7


@app.callback()
def demo(
    context: typer.Context,
    *,
    scale: Annotated[
        float, typer.Option(min=0.001, max=20, help="Size of the shop; 1 is 200,000 orders.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="What the shop is generated from.")] = _SEED,
    reset: Annotated[bool, typer.Option("--reset", help="Make the shop anew.")] = False,
) -> None:
    """Run the whole pipeline once: Airbyte syncs, bronze merges, dbt models, Dremio reflections, two answers.

    Starts Postgres, Airbyte and Dremio when they do not run, and stops them at the end. Run again, it only
    does what changes ask for. The history is in the Dagster UI: `lakehouse up`.
    """
    if context.invoked_subcommand is not None:
        return
    from lakehouse.cli.demo_report import Progress, answers, show_answers, show_datasets
    from lakehouse.cli.running import load_graph, running_services
    from lakehouse.cli.services import embedded_settings

    settings = embedded_settings()
    progress = Progress()
    with running_services(settings, progress):
        progress.line("shop", prepare_shop(settings, scale, seed, reset=reset))
        started = time.monotonic()
        runner = load_graph(settings, progress, "demo")
        run_pipeline(runner, settings, progress)
        seconds = time.monotonic() - started
        show_datasets(runner, settings, progress.console)
        show_answers(progress.console, answers(settings))
        progress.console.print(
            f"pipeline: [bold]{seconds:.1f} s[/]; home {settings.home}; see it with `lakehouse up`"
        )


@app.command()
def traffic(
    *,
    per_second: Annotated[float, typer.Option(min=0.01, max=1000, help="Changes a second.")] = 2.0,
    changes: Annotated[int | None, typer.Option(min=1, help="Stop after so many changes.")] = None,
    seed: Annotated[int | None, typer.Option(help="For the same changes again.")] = None,
) -> None:
    """Keep inserting, updating and deleting orders in the shop, until Ctrl-C.

    The shop is synced by its log: deleted orders leave the lakehouse as well.
    """
    import signal
    import threading

    from rich.console import Console
    from rich.live import Live

    from lakehouse.demo.traffic import run_traffic
    from lakehouse.settings import load_settings

    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Live("no change yet", console=Console(), refresh_per_second=4) as live:
        for counts in run_traffic(load_settings().postgres, per_second=per_second, stop=stop, seed=seed):
            live.update(", ".join(f"{count} {action}s" for action, count in sorted(counts.items())))
            if changes is not None and counts.total() >= changes:
                break


def run_pipeline(runner: Runner, settings: Settings, progress: Progress) -> list[Step]:
    """Declare the connections, prepare Dremio, and refresh every asset.

    Raises:
        PermanentError: a run failed; names the steps and why.
    """
    from lakehouse.clients.lake_source import prepare_dremio
    from lakehouse.defs.automation.refresh import refresh
    from lakehouse.defs.ingestion.apply import apply_connections, require_applied
    from lakehouse.errors import PermanentError

    progress.start("connections")
    changes = apply_connections(settings)
    require_applied(changes)
    changed = [f"{c.action} {c.kind.removesuffix('s')} {c.name}" for c in changes if c.action != "unchanged"]
    prepare_dremio(settings)
    progress.done("connections", ", ".join(changed) or "as declared")
    steps = []
    progress.start("landing")
    for step in refresh(runner, settings):
        steps.append(step)
        progress.step(step)
        if not step.result.succeeded:
            raise PermanentError("; ".join(step.result.failures), where=f"run {step.result.run_id}")
    progress.stop()
    return steps


def prepare_shop(settings: Settings, scale: float, seed: int, *, reset: bool) -> str:
    """Fill the shop when it is empty; says what is in it. Raises as `load_shop`."""
    from datetime import UTC, datetime, timedelta

    from lakehouse.demo.shop import load_shop

    # The last day is yesterday: changes of today come after everything generated.
    last_day = (datetime.now(UTC) - timedelta(days=1)).date()
    load = load_shop(settings.postgres, scale=scale, seed=seed, today=last_day, reset=reset)
    rows = ", ".join(f"{count:,} {table}" for table, count in load.rows.items())
    return f"{'loaded' if load.loaded else 'there already'}: {rows}"
