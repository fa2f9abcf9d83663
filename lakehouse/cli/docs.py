"""`lakehouse docs`: dbt's documentation of every dataset."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="Every dataset, its columns, its SQL and its lineage, as dbt documents them.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def generate() -> None:
    """Write the documentation, with the tables as they are in Dremio; prints the file's place.

    It is one HTML file that can be sent about. Works whether or not the stack is up.
    """
    from lakehouse.cli.engine import reachable_engine
    from lakehouse.defs.transformation.docs import generate_docs
    from lakehouse.settings import load_settings

    with reachable_engine(load_settings()) as reached:
        typer.echo(generate_docs(reached))


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 8580,
) -> None:
    """Serve the generated documentation on 127.0.0.1 until Ctrl-C."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import FileResponse
    from starlette.routing import Route

    from lakehouse.defs.transformation.docs import docs_page
    from lakehouse.errors import ConfigurationError
    from lakehouse.settings import load_settings

    page = docs_page(load_settings())
    if not page.is_file():
        raise ConfigurationError("no documentation yet", where=str(page), remedy="lakehouse docs generate")
    # The page alone: the folder also holds dbt's log and the SQL that it ran.
    site = Starlette(routes=[Route("/", lambda _: FileResponse(page))])
    listening = uvicorn.Config(site, host="127.0.0.1", port=port, log_level="warning").bind_socket()
    listening.listen()  # what reads the address below may call at once
    typer.echo(f"http://127.0.0.1:{listening.getsockname()[1]}/ (Ctrl-C stops it)")
    uvicorn.Server(uvicorn.Config(site, log_level="warning")).run(sockets=[listening])
