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


@app.command()
def ingest(
    cases: Annotated[
        list[str] | None,
        typer.Option("--case", help="One of postgres, cdc, protocol, files, rest, sizes; repeatable."),
    ] = None,
    *,
    scale: Annotated[float, typer.Option(min=0.01, max=10, help="Size of the data; 1 is TPC-H SF1.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Sync databases, records and files into landing, each beside a named ceiling or peer of the same run.

    The peer dlt runs in an environment that `uv` makes for it.
    """
    from lakehouse.cli.bench.ingest import measure
    from lakehouse.cli.bench.result import show

    show(measure(cases or (), scale), as_json=as_json)


@app.command()
def orchestration(
    cases: Annotated[
        list[str] | None,
        typer.Option("--case", help="One of load, scale, backfill, changes, soak; repeatable."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Time what Dagster does with the graph: loading it, looking at a long history, building a year of days again."""
    from lakehouse.cli.bench.orchestration import measure
    from lakehouse.cli.bench.result import show

    show(measure(cases or ()), as_json=as_json)


@app.command()
def serving(
    cases: Annotated[
        list[str] | None,
        typer.Option("--case", help="One of dashboard, metrics, api, flight, logs; repeatable."),
    ] = None,
    *,
    log_records: Annotated[
        int, typer.Option(min=1000, help="How many records the case logs ships and searches.")
    ] = 2_000_000,
    as_json: AsJson = False,
) -> None:
    """Time what people and programs ask of the platform."""
    from lakehouse.cli.bench.result import show
    from lakehouse.cli.bench.serving import measure

    show(measure(cases or (), log_records=log_records), as_json=as_json)
