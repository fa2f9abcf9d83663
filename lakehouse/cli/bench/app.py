"""The command group `lakehouse bench`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Measure the lakehouse on this machine.", rich_markup_mode="markdown"
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def bench() -> None:
    """Measure the lakehouse on this machine."""


@app.command()
def demo(
    *,
    scale: Annotated[float, typer.Option(min=0.001, max=20, help="Size of the shop.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Run the demo's pipeline twice in a home of its own, and time its stages.

    Yardsticks: reading the same sources bare (COPY out of Postgres, pyarrow's CSV reader) for the syncs, the
    budget of 90 s for the whole pipeline, and the first run for the second, which has nothing to do.
    """
    from lakehouse.cli.bench.demo import measure
    from lakehouse.cli.bench.result import show

    show(measure(scale, quiet=as_json), as_json=as_json)
