"""`lakehouse connector …`: further sources for the embedded Airbyte."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Install sources into the embedded Airbyte: from PyPI, or low-code manifests.",
    rich_markup_mode="markdown",
)


@app.command()
def install(
    name: Annotated[str, typer.Argument(help="`source-faker`, or the name that a manifest gets.")],
    *,
    manifest: Annotated[
        Path | None, typer.Option(help="A low-code manifest (YAML), which airbyte-cdk runs.")
    ] = None,
) -> None:
    """Install a source; a running server has it at once.

    Without `--manifest` it is the newest `airbyte-source-<name>` on PyPI, in a virtual environment of its own.
    """
    from lakehouse.embedded.airbyte.connectors.installation import install_manifest, install_package

    home = _airbyte_home()
    connector = install_manifest(home, name, manifest) if manifest else install_package(home, name)
    print(f"installed {connector.package} {connector.version}; use it with sourceType: {connector.type}")


@app.command(name="list")
def list_() -> None:
    """List the installed sources: type, package and version."""
    from lakehouse.embedded.airbyte.connectors.installed import installed

    for connector in installed(_airbyte_home()):
        print(f"{connector.type:<24} {connector.package} {connector.version}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The source, such as `source-faker`.")]) -> None:
    """Remove an installed source with its environment; connections that use it fail from then on."""
    from lakehouse.embedded.airbyte.connectors.installation import remove as remove_connector

    remove_connector(_airbyte_home(), name)
    print(f"removed {name}")


def _airbyte_home() -> Path:
    from lakehouse.embedded.services import AIRBYTE
    from lakehouse.settings import load_settings

    return load_settings().home / AIRBYTE
