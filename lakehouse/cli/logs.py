"""`lakehouse logs`: search what everything wrote, and bring it to where it is searched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lakehouse.observability.logs.query import LogQuery
    from lakehouse.observability.logs.record import LogRecord

app = typer.Typer(
    no_args_is_help=True, help="Search the logs of everything, and ship them.", rich_markup_mode="markdown"
)
_COLOURS = {"ERROR": "red", "CRITICAL": "bold red", "WARNING": "yellow", "DEBUG": "dim"}
Values = list[str] | None


@app.callback()
def logs() -> None:
    """Logs of services, syncs, runs and dbt as one kind of record: docs/logs.md."""


@app.command()
def search(
    text: Annotated[
        str, typer.Argument(help='Words that a message must hold; "several in a row"; begin* of one.')
    ] = "",
    *,
    level: Annotated[
        Values, typer.Option(help="DEBUG, INFO, WARNING, ERROR, CRITICAL; repeat for more.")
    ] = None,
    service: Annotated[Values, typer.Option(help="airbyte, dbt, dremio, …; repeat for more.")] = None,
    job_id: Annotated[Values, typer.Option("--job", help="Number of an Airbyte job.")] = None,
    connection_id: Annotated[
        Values, typer.Option("--connection", help="Id of an Airbyte connection.")
    ] = None,
    run_id: Annotated[Values, typer.Option("--run", help="Id of a Dagster run.")] = None,
    asset: Annotated[Values, typer.Option(help="Key of an asset: bronze/shop/orders.")] = None,
    partition: Annotated[Values, typer.Option(help="Key of a partition: 2026-11-28.")] = None,
    since: Annotated[str | None, typer.Option(help="How long ago (30m, 1h, 2d), or a time stamp.")] = None,
    until: Annotated[str | None, typer.Option(help="The same, for the end.")] = None,
    by: Annotated[str | None, typer.Option(help="Count by this field: service, level, run_id, …")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes in.")] = False,
    limit: Annotated[int, typer.Option(help="How many, the newest; at most 1000.")] = 50,
    page: Annotated[str | None, typer.Option(help="What the answer before gave as `next`.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, newest first; with --follow an object a line.")
    ] = False,
) -> None:
    """Find records in the logs of everything: the newest that fit, in the order they were written."""
    from lakehouse.errors import ConfigurationError
    from lakehouse.observability.logs.follow import follow as follow_store
    from lakehouse.observability.logs.moment import moment
    from lakehouse.observability.logs.query import LogQuery
    from lakehouse.observability.logs.store import open_log_store
    from lakehouse.settings import load_settings

    if follow and (by or page or until):
        raise ConfigurationError(
            "goes on for ever", where="--follow", remedy="leave out --by, --page, --until"
        )
    fields = {
        "level": [name.upper() for name in level or ()], "service": service, "job_id": job_id,
        "connection_id": connection_id, "run_id": run_id, "asset": asset, "partition": partition,
    }  # fmt: skip
    chosen = {name: tuple(values) for name, values in fields.items() if values}
    query = LogQuery(text, chosen, moment(since, "--since"), moment(until, "--until"))
    store = open_log_store(load_settings())
    try:
        if by:
            _show_counts(store.count(query, by), by, as_json=as_json)
        elif follow:
            for records in follow_store(store, query, last=limit):
                _show(records, as_json=as_json)
        else:
            found = store.search(query, limit=limit, page=page)
            if as_json:
                shown = {"records": [_plain(record) for record in found.records], "next": found.next}
                print(json.dumps(shown, ensure_ascii=False, indent=1))
                return
            _show(found.records[::-1], as_json=False)
            _say_more(found.next, query, nothing=not found.records)
    except KeyboardInterrupt:
        return
    finally:
        store.close()


@app.command()
def ship(
    *,
    once: Annotated[bool, typer.Option("--once", help="Ship what there is, and end.")] = False,
) -> None:
    """Bring the logs of services, runs, syncs and dbt into the searchable store and into the lake.

    It is a service of `lakehouse up`. How far each log was read, and what could not be delivered yet, is in
    `<home>/search/shipper.db`: whenever it is stopped or killed, it goes on where it was.
    """
    import logging
    import signal
    import threading

    from lakehouse.embedded.json_lines import emit
    from lakehouse.errors import TransientError
    from lakehouse.observability.logs.shipping import shipper_of
    from lakehouse.settings import load_settings

    # The shipper says once that the store is down; its client would at every try.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with shipper_of(load_settings(), lambda message, level: emit("logs", message, level)) as shipper:
        if not once:
            shipper.ship(over.wait)
            return
        shipper.once(everything=True)
        if troubles := shipper.troubles():
            raise TransientError(
                "; ".join(troubles), where="logs ship", remedy="it is tried again the next time"
            )


def _show(records: list[LogRecord], *, as_json: bool) -> None:
    if as_json:
        for record in records:
            print(json.dumps(_plain(record), ensure_ascii=False), flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for record in records:
        line = Text(f"{record.timestamp:%Y-%m-%d %H:%M:%S}.{record.timestamp.microsecond // 1000:03} ")
        line.append(f"{record.level:<8}", _COLOURS.get(record.level, ""))
        line.append(f" {record.service:<17} {record.message.rstrip()}")
        told = [("job", record.job_id), ("run", (record.run_id or "")[:8]), ("asset", record.asset)]
        line.append("".join(f"  {name}={value}" for name, value in told if value), "dim")
        console.print(line)


def _say_more(page: str | None, query: LogQuery, *, nothing: bool) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if nothing:
        asked = "these words and fields" if query.text or query.fields else "this time"
        console.print(f"nothing in the logs for {asked}")
    elif page:
        console.print(
            f"there are older ones: --page '{page}', or a larger --limit", style="dim", markup=False
        )


def _show_counts(counts: dict[str, int], by: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"by": by, "counts": counts}, ensure_ascii=False))
        return
    for value, number in counts.items():
        print(f"{number:>10,}  {value}")
    if not counts:
        print("nothing")


def _plain(record: LogRecord) -> dict[str, Any]:
    import msgspec

    return dict(msgspec.to_builtins(record))
