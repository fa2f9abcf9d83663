"""The services of the laptop stack, made from plain values."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse.embedded.dagster_home import write_dagster_home
from lakehouse.embedded.ports import Port, free_port
from lakehouse.embedded.service import Service
from lakehouse.embedded.superset.installation import require_installed

POSTGRES, AIRBYTE, DREMIO, SUPERSET = "postgres", "airbyte", "dremio", "superset"
API, LOGS = "api", "logs"
DAGSTER_CODE, DAGSTER_WEBSERVER, DAGSTER_DAEMON = "dagster-code", "dagster-webserver", "dagster-daemon"


@dataclass(frozen=True)
class Login:
    """Where a service listens and who may log in."""

    host: str
    port: int
    user: str
    password: str


def postgres_service(home: Path, login: Login) -> Service:
    """PostgreSQL, kept in `<home>/postgres`."""
    return Service(
        name=POSTGRES,
        command=_serve(POSTGRES, home, login),
        address=f"postgresql://{login.host}:{login.port}",
        health=f"postgresql://{login.host}:{login.port}",
        ports=(Port(login.port, "postgres", "LAKEHOUSE_POSTGRES__PORT", login.host),),
        env={"LAKEHOUSE_POSTGRES__PASSWORD": login.password},
    )


def airbyte_service(
    home: Path, login: Login, workspace_id: str, *, env: Mapping[str, str] | None = None
) -> Service:
    """The Airbyte-compatible server, kept in `<home>/airbyte`; `env` holds settings of its jobs."""
    address = f"http://{login.host}:{login.port}"
    return Service(
        name=AIRBYTE,
        command=(*_serve(AIRBYTE, home, login), "--workspace-id", workspace_id),
        address=address,
        health=f"{address}/api/v1/health",
        ports=(Port(login.port, "airbyte", "LAKEHOUSE_AIRBYTE__URL", login.host),),
        env={**(env or {}), "LAKEHOUSE_AIRBYTE__PASSWORD": login.password},
    )


def dremio_service(home: Path, login: Login, flight_port: int) -> Service:
    """The Dremio-compatible engine, kept in `<home>/dremio`."""
    address = f"http://{login.host}:{login.port}"
    return Service(
        name=DREMIO,
        command=(*_serve(DREMIO, home, login), "--flight-port", str(flight_port)),
        address=f"{address} grpc://{login.host}:{flight_port}",
        health=f"{address}/apiv2/server_status",
        ports=(
            Port(login.port, "dremio REST", "LAKEHOUSE_DREMIO__PORT", login.host),
            Port(flight_port, "dremio Flight", "LAKEHOUSE_DREMIO__FLIGHT_PORT", login.host),
        ),
        env={"LAKEHOUSE_DREMIO__PASSWORD": login.password},
    )


def superset_service(
    home: Path, login: Login, secret_key: str, metadata_url: str | None, *, dialect: str = "lakehouse"
) -> Service:
    """Superset, kept in `<home>/superset`; `login` is that of its service user.

    Args:
        secret_key: what it encrypts the passwords of its databases with.
        metadata_url: SQLAlchemy URL of its own database; by default SQLite in its folder.
        dialect: `lakehouse` for our SQLAlchemy dialect, `plain` for sqlalchemy-dremio as it is.

    Raises:
        EmbeddedError: it is not installed.
    """
    folder = home / SUPERSET
    address = f"http://{login.host}:{login.port}"
    inside = Path(__file__).parent / "superset" / "inside"
    return Service(
        name=SUPERSET,
        command=(
            str(require_installed(folder) / "bin" / "python"),
            "-s",
            str(inside / "serve_superset.py"),
        ),
        address=address,
        health=f"{address}/health",
        ports=(Port(login.port, "superset", "LAKEHOUSE_SUPERSET__URL", login.host),),
        env={
            "PYTHONPATH": str(inside),
            "SUPERSET_HOME": str(folder),
            "SUPERSET_BIND": f"{login.host}:{login.port}",
            "SUPERSET_SECRET_KEY": secret_key,
            "SUPERSET_METADATA_URL": metadata_url or f"sqlite:///{folder}/superset.db",
            "SUPERSET_USER": login.user,
            "SUPERSET_PASSWORD": login.password,
            "SUPERSET_DREMIO_DIALECT": dialect,
        },
        start_seconds=300,  # the first start makes its metadata
        stop_seconds=15,
    )


def logs_service(env: Mapping[str, str]) -> Service:
    """What brings the logs of everything to where they are searched; `env` holds settings and secrets."""
    return Service(
        name=LOGS,
        command=(sys.executable, "-P", "-m", "lakehouse.cli", "logs", "ship"),
        address="",
        health="alive:",
        env=env,
    )


def dagster_services(
    home: Path, module: str, *, host: str, port: int, env: Mapping[str, str], code_port: int | None = None
) -> list[Service]:
    """Dagster as three services: one code server that the webserver and the daemon share, and these two.

    Args:
        module: the Python module with the definitions.
        env: settings and secrets for the code; runs inherit them.
        code_port: where the code server listens; by default any free port.
    """
    code_port = code_port or free_port(host)
    dagster_home = write_dagster_home(home, code_host=host, code_port=code_port)
    workspace = str(dagster_home / "workspace.yaml")
    shared = {**env, "DAGSTER_HOME": str(dagster_home)}
    quiet = ("--log-format", "json")
    listen = ("--host", host, "--port")
    return [
        Service(
            name=DAGSTER_CODE,
            command=_python("dagster", "code-server", "start", "-m", module, *listen, str(code_port), *quiet),
            address=f"grpc://{host}:{code_port}",
            health=f"tcp://{host}:{code_port}",
            env=shared,
            # It waits a minute for a run to end by itself; a stack that is told to stop does not.
            stop_seconds=10,
        ),
        Service(
            name=DAGSTER_WEBSERVER,
            command=_python("dagster_webserver", *listen, str(port), "-w", workspace, *quiet),
            address=f"http://{host}:{port}",
            health=f"http://{host}:{port}/server_info",
            ports=(Port(port, "dagster", "LAKEHOUSE_DAGSTER__PORT", host),),
            env=shared,
            requires=(DAGSTER_CODE,),
        ),
        Service(
            name=DAGSTER_DAEMON,
            command=_python("dagster._daemon", "run", "-w", workspace, *quiet),
            address="",
            health="alive:",
            env=shared,
            requires=(DAGSTER_CODE,),
        ),
    ]


def api_service(home: Path, *, host: str, port: int, env: Mapping[str, str]) -> Service:
    """The REST API of the platform. `env` holds its settings; it reads the history of this home's Dagster."""
    address = f"http://{host}:{port}"
    where = ("--host", host, "--port", str(port))
    return Service(
        name=API,
        command=(sys.executable, "-P", "-m", "lakehouse.cli", "serve", API, *where),
        address=address,
        health=f"{address}/health",
        ports=(Port(port, "api", "LAKEHOUSE_API__PORT", host),),
        env={**env, "LAKEHOUSE_HOME": str(home)},
    )


def _serve(service: str, home: Path, login: Login) -> tuple[str, ...]:
    """The command line of an embedded service; its password goes by environment, where no `ps` shows it."""
    where = ("--home", str(home / service), "--host", login.host, "--port", str(login.port))
    return (sys.executable, "-P", "-m", "lakehouse.cli", "serve", service, *where, "--user", login.user)


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)
