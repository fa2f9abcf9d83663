"""`lakehouse backfill`: build chosen days of chosen assets again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from lakehouse.defs.automation.why import Why

_DAY = ["%Y-%m-%d"]


def backfill(
    assets: Annotated[list[str], typer.Argument(help="Keys as the Dagster UI shows them: gold/fct_orders.")],
    *,
    first: Annotated[datetime | None, typer.Option("--from", formats=_DAY, help="The first day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=_DAY, help="The last day.")] = None,
    upstream: Annotated[
        bool, typer.Option("--upstream", help="Also the bronze tables and models that they are made of.")
    ] = False,
    failed_only: Annotated[
        bool,
        typer.Option(
            "--failed-only", help="Only what the last run was to build and did not, or built wrong."
        ),
    ] = False,
    days_per_run: Annotated[
        int,
        typer.Option(min=1, help="Days (hours, months) that one run may take; more are built in several."),
    ] = 366,
) -> None:
    """Build a range of days of assets again, from what is landed; of months those that have a day in it.

    Each step is a run in the Dagster UI over the whole range, and records what became of every day. What is made of a
    failed step is left out, and everything else is built; `--failed-only` with the same assets goes on from there.
    Tables without days are built as a whole; a bronze table merges what is pending. Building days again gives the
    same rows.
    """
    from lakehouse.cli.demo_report import Progress
    from lakehouse.cli.running import load_graph, running_services
    from lakehouse.cli.services import embedded_settings
    from lakehouse.clients.lake_source import prepare_dremio
    from lakehouse.defs.automation.backfill import Range, chosen, every_day, failed_days
    from lakehouse.defs.automation.backfill import backfill as steps_of
    from lakehouse.defs.automation.plan import nodes_of
    from lakehouse.errors import ConfigurationError, PermanentError
    from lakehouse.observability.metadata.database import metadata_database

    within = Range(first.date() if first else None, last.date() if last else None)
    if within.first and within.last and within.first > within.last:
        raise ConfigurationError(
            f"{within.last} is before {within.first}", where="--to", remedy="name the first day with --from"
        )
    settings = embedded_settings()
    progress = Progress()
    with running_services(settings, progress, ("dremio",)):
        runner = load_graph(settings, progress, "backfill", Why.BACKFILL)
        nodes = nodes_of(runner.defs)
        keys = chosen(nodes, assets, upstream=upstream)
        wanted = (
            failed_days(nodes, keys, within, runner.instance, metadata_database(settings))
            if failed_only
            else every_day(nodes, keys, within, assets)
        )
        if not wanted:
            progress.line("backfill", "nothing has failed")
            return
        prepare_dremio(settings)
        progress.start("first run")
        failures = []
        for step in steps_of(runner, wanted, days_per_run=days_per_run):
            progress.step(step)
            if not step.result.succeeded:
                days = f" of {step.window[0]}..{step.window[1]}" if step.window else ""
                failures.append(f"run {step.result.run_id}{days}: {'; '.join(step.result.failures)}")
        progress.stop()
    if failures:
        remedy = "build what is missing with the same command and --failed-only"
        raise PermanentError("; ".join(failures), where="backfill", remedy=remedy)
