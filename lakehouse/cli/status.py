"""`lakehouse status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lakehouse.embedded.state import StackState


def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
) -> None:
    """Show what runs: every service with its state, pid, address, uptime and restarts.

    The exit code is 0 when the stack runs and every service is running, else 1.
    """
    from lakehouse.embedded.state import RUNNING, read_state
    from lakehouse.settings import load_settings

    home = load_settings().home
    state = read_state(home)
    rows = _rows(state)
    if as_json:
        import json

        print(
            json.dumps({"home": str(home), "supervisor_pid": state and state.pid, "services": rows}, indent=1)
        )
    elif state is None:
        print(f"nothing runs in {home}; start it with `lakehouse up`")
    else:
        _print_table(rows)
    if state is None or any(row["state"] != RUNNING for row in rows):
        raise typer.Exit(1)


def _rows(state: StackState | None) -> list[dict[str, Any]]:
    import time

    return [
        {
            "service": service.name,
            "state": service.state,
            "pid": service.pid,
            "address": service.address,
            "uptime_seconds": round(time.time() - service.started_at, 1)
            if service.pid and service.started_at
            else None,
            "restarts": service.restarts,
            "note": service.note,
        }
        for service in (state.services if state else [])
    ]


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        "service", "state", "pid", "address", "uptime", "restarts", "note", box=None, pad_edge=False
    )
    colours = {"running": "green", "failed": "bold red"}
    for row in rows:
        state, uptime = row["state"], row["uptime_seconds"]
        table.add_row(
            row["service"],
            f"[{colours.get(state, 'yellow')}]{state}[/]",
            str(row["pid"] or ""),
            row["address"],
            "" if uptime is None else _duration(uptime),
            str(row["restarts"]),
            escape(row["note"]),
        )
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def _duration(seconds: float) -> str:
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole} s" if minutes else f"{whole} s"
