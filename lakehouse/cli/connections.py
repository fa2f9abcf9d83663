"""`lakehouse connections …`: the declared Airbyte connections, and the live ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lakehouse.defs.ingestion.apply import Change

app = typer.Typer(
    no_args_is_help=True, help="Bring Airbyte's connections to what is declared.", rich_markup_mode="markdown"
)
Names = Annotated[
    list[str] | None, typer.Argument(help="Names of connections; without any, all that are declared.")
]
Prune = Annotated[bool, typer.Option("--prune", help="Delete connections to the lake that nothing declares.")]
CHANGES_EXIT_CODE = 2


@app.callback()
def connections() -> None:
    """The Airbyte connections that `lakehouse/defs/ingestion/*/defs.yaml` declare."""


@app.command()
def plan(names: Names = None, *, prune: Prune = False) -> None:
    """Show what `apply` would do with each object. Exit code 2 when there is something to do."""
    changes = _applied(names, prune=prune, dry_run=True)
    for change in changes:
        print(_line(change))
    _exit_by(changes)


@app.command()
def apply(names: Names = None, *, prune: Prune = False) -> None:
    """Create and update destination, sources and connections; safe to repeat.

    A connection that Airbyte refuses is told, and the others are applied. Exit code 1 then.
    """
    changes = _applied(names, prune=prune, dry_run=False)
    for change in changes:
        print(_line(change))
    if any(change.action == "failed" for change in changes):
        raise typer.Exit(1)


@app.command()
def diff(
    names: Names = None, *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show, field by field, where Airbyte is not as declared. Exit code 2 when it is not.

    Connections to the lake that nothing declares are shown too, unless names are given.
    """
    changes = _applied(names, prune=not names, dry_run=True)
    if as_json:
        print(json.dumps([asdict(change) for change in changes], default=str, indent=1))
    else:
        for change in changes:
            if change.action != "unchanged":
                print(f"{change.kind.removesuffix('s')} {change.name}{_STATES.get(change.action, '')}")
            for difference in change.differences:
                print(f"    {difference.field}: {_text(difference.live)} -> {_text(difference.declared)}")
    _exit_by(changes)


@app.command()
def export(
    names: Annotated[
        list[str] | None, typer.Argument(help="Live connections; without any, all that nothing declares.")
    ] = None,
    *,
    write: Annotated[bool, typer.Option("--write", help="Write them as new declarations.")] = False,
) -> None:
    """Print live connections as declarations. Secrets become references, as Airbyte does not show them."""
    from lakehouse.clients.airbyte import AirbyteClient
    from lakehouse.defs.ingestion.declaration import FOLDER, declarations
    from lakehouse.scaffold.export import export as exported
    from lakehouse.scaffold.yaml_files import new_or_kept, yaml_text
    from lakehouse.settings import load_settings

    declared = {declaration.connection.name for declaration in declarations().values()}
    with AirbyteClient(load_settings().airbyte) as airbyte:
        found = exported(airbyte, names or [], declared)
    for connection in found:
        text = yaml_text(connection.document)
        if write:
            file = new_or_kept(FOLDER / connection.folder / "defs.yaml", text)
            file.write()
            print(f"{file.path}: {file.action}")
        else:
            print(f"# {connection.folder}/defs.yaml\n{text}")
        for variable in connection.variables:
            print(f"# set {variable} in the environment or in <home>/lakehouse.env")


_MARKS = {"created": "+", "updated": "~", "deleted": "-", "unchanged": " ", "failed": "✗"}
_STATES = {"created": ": not in Airbyte", "deleted": ": in Airbyte, and nothing declares it"}


def _applied(names: list[str] | None, *, prune: bool, dry_run: bool) -> list[Change]:
    from lakehouse.defs.ingestion.apply import apply_connections
    from lakehouse.settings import load_settings

    return apply_connections(load_settings(), names=names, prune=prune, dry_run=dry_run)


def _line(change: Change) -> str:
    fields = f" ({', '.join(difference.field for difference in change.differences)})"
    why = f": {change.error}" if change.error else fields if change.differences else ""
    return f"{_MARKS[change.action]} {change.kind.removesuffix('s')} {change.name}: {change.action}{why}"


def _exit_by(changes: list[Change]) -> None:
    if any(change.action != "unchanged" for change in changes):
        raise typer.Exit(CHANGES_EXIT_CODE)


def _text(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, default=str)
