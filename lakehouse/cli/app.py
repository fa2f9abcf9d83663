"""The commands and where each one lives.

A command is a function, a command group a `typer.Typer`; either is named here by `module:attribute` and
imported when it is called or its help is shown. Modules keep heavy imports inside their functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

COMMANDS: Mapping[str, str] = {
    "up": "lakehouse.cli.stack:up",
    "down": "lakehouse.cli.stack:down",
    "superset": "lakehouse.cli.superset:app",
    "status": "lakehouse.cli.status:status",
    "add": "lakehouse.cli.add:app",
    "refresh": "lakehouse.cli.refresh:refresh",
    "backfill": "lakehouse.cli.backfill:backfill",
    "query": "lakehouse.cli.query:query",
    "quarantine": "lakehouse.cli.quarantine:app",
    "alerts": "lakehouse.cli.alerts:app",
    "logs": "lakehouse.cli.logs:app",
    "metrics": "lakehouse.cli.metrics:metrics",
    "retention": "lakehouse.cli.retention:app",
    "connections": "lakehouse.cli.connections:app",
    "docs": "lakehouse.cli.docs:app",
    "demo": "lakehouse.cli.demo:app",
    "connector": "lakehouse.cli.connector:app",
    "bench": "lakehouse.cli.bench.app:app",
    "serve": "lakehouse.cli.serve:app",
    "version": "lakehouse.cli.version:version",
}


class LazyGroup(TyperGroup):
    """Finds its commands in `COMMANDS`."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        target = getattr(import_module(module), attribute)
        if not isinstance(target, typer.Typer):
            command = typer.Typer(add_completion=False, rich_markup_mode="markdown")
            command.command(cmd_name)(target)
            target = command
        built = typer.main.get_command(target)
        built.name = cmd_name
        return built


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def lakehouse(
    *,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks; goes anywhere on the line.")
    ] = False,
) -> None:
    """An open lakehouse, run as one Dagster asset graph.

    `lakehouse up` starts everything on this machine; settings come from `LAKEHOUSE_*` variables and from
    `lakehouse.env` in the home directory (`LAKEHOUSE_HOME`, by default `~/.lakehouse`).
    """
