"""`lakehouse retention`: remove what is old and read by nobody."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@app.callback()
def retention() -> None:
    """What is old and read by nobody."""


@app.command()
def apply(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove old runs, their logs, snapshots of tables, files that none refers to, and what was landed.

    How long each is kept is in the settings `LAKEHOUSE_RETENTION__*`; landed objects go only where the connection
    declares `landing_days`. Safe while everything runs.
    """
    import dagster as dg
    from rich.console import Console

    from lakehouse.defs.hygiene.apply import apply_retention
    from lakehouse.embedded.dagster_home import dagster_home
    from lakehouse.errors import LakehouseError, PermanentError
    from lakehouse.settings import load_settings

    settings = load_settings()
    console = Console(highlight=False, soft_wrap=True)
    failed: list[str] = []
    with dg.DagsterInstance.from_config(str(dagster_home(settings.home))) as instance:
        for told in apply_retention(settings, instance, dry_run=dry_run):
            if isinstance(told, LakehouseError):
                failed.append(str(told))
                continue
            size = f"{told.bytes / 1e6:.1f} MB" if told.bytes is not None else ""
            note = f"  [dim]{told.note}[/]" if told.note else ""
            console.print(f"{told.what:<24} {told.count:>7} {size:>12}{note}".rstrip())
    if failed:
        raise PermanentError("; ".join(failed), where="retention")
