"""`lakehouse refresh`: bring chosen sources, and everything made of them, up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import dagster as dg


def refresh(
    connections: Annotated[
        list[str] | None, typer.Argument(help="Names of connections; without any, all that are declared.")
    ] = None,
) -> None:
    """Sync connections, merge what they landed, and build what is behind downstream of them.

    Each step is a run in the Dagster UI. The services of this machine are started when they do not run, and stopped
    at the end. What is up to date is left alone.
    """
    from lakehouse.cli.demo_report import Progress
    from lakehouse.cli.running import load_graph, running_services
    from lakehouse.cli.services import embedded_settings
    from lakehouse.clients.lake_source import prepare_dremio
    from lakehouse.defs.automation.refresh import refresh as steps_of
    from lakehouse.errors import PermanentError

    settings = embedded_settings()
    progress = Progress()
    with running_services(settings, progress):
        runner = load_graph(settings, progress, "refresh")
        keys = _downstream(runner.defs, connections) if connections else None
        prepare_dremio(settings)
        progress.start("landing")
        for step in steps_of(runner, settings, keys):
            progress.step(step)
            if not step.result.succeeded:
                raise PermanentError("; ".join(step.result.failures), where=f"run {step.result.run_id}")
        progress.stop()


def _downstream(defs: dg.Definitions, connections: list[str]) -> set[dg.AssetKey]:
    """The landed streams of the connections, and all that is made of them."""
    import dagster as dg

    from lakehouse.catalog.datasets import landing_key
    from lakehouse.defs.ingestion.declaration import connection_of, declarations
    from lakehouse.errors import ConfigurationError

    landed = []
    for name in connections:
        connection = connection_of(name)
        if connection is None:
            known = ", ".join(d.connection.name for d in declarations().values())
            raise ConfigurationError(f"no connection is named {name!r}", remedy=f"declared are {known}")
        landed += [dg.AssetKey(landing_key(connection.namespace, s.name)) for s in connection.streams]
    selection = dg.AssetSelection.assets(*landed).downstream()
    return set(selection.resolve(defs.resolve_asset_graph()))
