"""`lakehouse serve …`: one service by itself, in the foreground, for other tools to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import SecretStr

app = typer.Typer(
    no_args_is_help=True,
    help="Run one service by itself, in the foreground, until SIGTERM or Ctrl-C.",
    rich_markup_mode="markdown",
)

Home = Annotated[Path, typer.Option(help="Directory of this service; everything it keeps is in there.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
PortOption = Annotated[int | None, typer.Option(help="Port to listen on; by default that of the settings.")]
User = Annotated[str, typer.Option(help="Who may log in.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="File with the password on its first line; by default the password of the settings."),
]


@app.command()
def dremio(
    home: Home,
    *,
    port: PortOption = None,
    flight_port: Annotated[int | None, typer.Option(help="Port of Arrow Flight.")] = None,
    user: User = "lakehouse",
    password_file: PasswordFile = None,
    host: Host = "127.0.0.1",
) -> None:
    """The Dremio-compatible local engine: REST and Arrow Flight."""
    from lakehouse.embedded.dremio.server import DremioServerConfig, serve
    from lakehouse.settings import load_settings

    section = load_settings().dremio
    serve(
        DremioServerConfig(
            home=home.resolve(),
            host=host,
            port=port or section.port,
            flight_port=flight_port or section.flight_port,
            user=user,
            password=_password(password_file, section.password, "LAKEHOUSE_DREMIO__PASSWORD"),
        )
    )


@app.command()
def airbyte(
    home: Home,
    *,
    port: PortOption = None,
    user: User = "lakehouse",
    password_file: PasswordFile = None,
    workspace_id: Annotated[
        str | None, typer.Option(help="UUID of its one workspace; by default that of the settings.")
    ] = None,
    host: Host = "127.0.0.1",
) -> None:
    """The Airbyte-compatible server: the public API and real Airbyte-protocol connectors."""
    from urllib.parse import urlsplit

    from lakehouse.embedded.airbyte.attempts import Retries
    from lakehouse.embedded.airbyte.server import AirbyteServerConfig, serve
    from lakehouse.embedded.airbyte.tuning import Tuning
    from lakehouse.errors import ConfigurationError
    from lakehouse.settings import load_settings

    section = load_settings().airbyte
    workspace = workspace_id or section.workspace_id
    if workspace is None:
        raise ConfigurationError("no workspace is set", where="airbyte", remedy="give --workspace-id a UUID")
    serve(
        AirbyteServerConfig(
            home=home.resolve(),
            host=host,
            port=port or urlsplit(section.url).port or 8000,
            user=user,
            password=_password(password_file, section.password, "LAKEHOUSE_AIRBYTE__PASSWORD"),
            workspace_id=workspace,
            job_timeout_seconds=section.timeout_minutes * 60,
            retries=Retries(section.max_retries),
            tuning=Tuning(section.threads, section.batch_size, section.buffer_size_mb),
        )
    )


@app.command()
def postgres(
    home: Home,
    *,
    port: PortOption = None,
    user: User = "lakehouse",
    password_file: PasswordFile = None,
    host: Host = "127.0.0.1",
) -> None:
    """PostgreSQL 18 with logical decoding; as root it runs as the user `lakehouse-postgres`."""
    from lakehouse.embedded.postgres.server import PostgresServerConfig, serve
    from lakehouse.settings import load_settings

    section = load_settings().postgres
    serve(
        PostgresServerConfig(
            home=home.resolve(),
            host=host,
            port=port or section.port,
            user=user,
            password=_password(password_file, section.password, "LAKEHOUSE_POSTGRES__PASSWORD"),
        )
    )


@app.command()
def api(
    *,
    host: Annotated[str | None, typer.Option(help="Address; by default that of the settings.")] = None,
    port: PortOption = None,
) -> None:
    """The REST API of the platform: datasets, runs, syncs, alerts, logs, queries.

    Needs `LAKEHOUSE_API__TOKENS`. Reads Dagster's history from DAGSTER_HOME, by default that of the home directory.
    """
    import os

    from lakehouse.api.server import serve
    from lakehouse.embedded.dagster_home import dagster_home
    from lakehouse.settings import load_settings

    settings = load_settings()
    os.environ.setdefault("DAGSTER_HOME", str(dagster_home(settings.home)))
    serve(settings, host or settings.api.host, port or settings.api.port)


def _password(file: Path | None, configured: SecretStr | None, key: str) -> str:
    from lakehouse.errors import ConfigurationError

    if file is None:
        if configured is None:
            raise ConfigurationError("no password is given", remedy=f"use --password-file or set {key}")
        return configured.get_secret_value()
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise ConfigurationError(f"cannot be read: {reason}", where=f"--password-file {file}") from None
    if not lines or not lines[0]:
        raise ConfigurationError("its first line is empty", where=f"--password-file {file}")
    return lines[0]
