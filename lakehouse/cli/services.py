"""From the settings to the services of the stack: the one place that knows both."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from pydantic import SecretStr

from lakehouse.embedded.credentials import ensure_credentials
from lakehouse.embedded.ports import free_port
from lakehouse.embedded.service import Service
from lakehouse.embedded.services import (
    AIRBYTE,
    API,
    DREMIO,
    LOGS,
    POSTGRES,
    SUPERSET,
    Login,
    airbyte_service,
    api_service,
    dagster_services,
    dremio_service,
    logs_service,
    postgres_service,
    superset_service,
)
from lakehouse.errors import ConfigurationError
from lakehouse.settings import Settings, environment, load_settings

DAGSTER = "dagster"
SERVICES = (POSTGRES, AIRBYTE, DREMIO, DAGSTER, API, LOGS)
"""What `lakehouse up` starts, by the names people use; `dagster` stands for its three processes."""

OPTIONAL = (SUPERSET,)
"""What `lakehouse up --with NAME` starts besides."""

DEFAULT_SUPERSET_URL = "http://127.0.0.1:8088"
DEFINITIONS = "lakehouse.definitions"
_LOCAL = {"127.0.0.1", "localhost", "::1", "0.0.0.0"}  # noqa: S104  all addresses of this machine


def embedded_settings(settings: Settings | None = None) -> Settings:
    """The settings, after making sure that the home directory holds generated credentials."""
    home = (settings or load_settings()).home
    ensure_credentials(home)
    return load_settings(home)


def stack_services(settings: Settings, names: Iterable[str] = SERVICES) -> list[Service]:
    """The services with these names, as the settings have them.

    Raises:
        ConfigurationError: an unknown name, or a service that the settings place on another machine.
    """
    chosen = set(names)
    known = (*SERVICES, *OPTIONAL)
    if unknown := chosen.difference(known):
        raise ConfigurationError(
            f"unknown service {', '.join(sorted(unknown))}", remedy=f"known are {', '.join(known)}"
        )
    home, services = settings.home, []
    for name in known:
        if name in chosen and not is_local(settings, name):
            raise ConfigurationError(
                f"the settings place it at {address(settings, name)}, not on this machine",
                where=name,
                remedy=f"leave it out with --without {name}",
            )
    if POSTGRES in chosen:
        services.append(postgres_service(home, postgres_login(settings)))
    if AIRBYTE in chosen:
        workspace = _required(settings.airbyte.workspace_id, "LAKEHOUSE_AIRBYTE__WORKSPACE_ID", settings)
        services.append(
            airbyte_service(home, airbyte_login(settings), workspace, env=_airbyte_limits(settings))
        )
    if DREMIO in chosen:
        services.append(dremio_service(home, dremio_login(settings), settings.dremio.flight_port))
    if SUPERSET in chosen:
        services.append(_superset(settings))
    env = {key: value for key, value in environment(settings).items() if key.startswith("LAKEHOUSE_")}
    if DAGSTER in chosen:
        dagster = settings.dagster
        services += dagster_services(home, DEFINITIONS, host=dagster.host, port=dagster.port, env=env)
    if API in chosen:
        services.append(api_service(home, host=settings.api.host, port=settings.api.port, env=env))
    if LOGS in chosen:
        services.append(logs_service(env))
    return services


def dremio_alone(settings: Settings) -> tuple[Settings, Service]:
    """The engine on free ports, and the settings that lead a client to it."""
    section = settings.dremio.model_copy(update={"port": free_port(), "flight_port": free_port()})
    moved = settings.model_copy(update={"dremio": section})
    return moved, dremio_service(moved.home, dremio_login(moved), section.flight_port)


def is_local(settings: Settings, name: str) -> bool:
    """Whether the settings place this service on this machine."""
    return name == LOGS or address(settings, name).rpartition(":")[0] in _LOCAL


def address(settings: Settings, name: str) -> str:
    """`host:port` of a service by the settings."""
    match name:
        case "airbyte":
            url = urlsplit(settings.airbyte.url)
            return f"{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}"
        case "dremio":
            return f"{settings.dremio.host}:{settings.dremio.port}"
        case "postgres":
            return f"{settings.postgres.host}:{settings.postgres.port}"
        case "superset":
            url = urlsplit(settings.superset.url or DEFAULT_SUPERSET_URL)
            return f"{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}"
        case "api":
            return f"{settings.api.host}:{settings.api.port}"
        case _:
            return f"{settings.dagster.host}:{settings.dagster.port}"


def postgres_login(settings: Settings) -> Login:
    section = settings.postgres
    password = _secret(section.password, "LAKEHOUSE_POSTGRES__PASSWORD", settings)
    return Login(section.host, section.port, section.user, password)


def airbyte_login(settings: Settings) -> Login:
    url = urlsplit(settings.airbyte.url)
    user = _required(settings.airbyte.user, "LAKEHOUSE_AIRBYTE__USER", settings)
    password = _secret(settings.airbyte.password, "LAKEHOUSE_AIRBYTE__PASSWORD", settings)
    return Login(url.hostname or "127.0.0.1", url.port or 8000, user, password)


def _airbyte_limits(settings: Settings) -> dict[str, str]:
    """The settings that say how jobs are run, for the server's own process."""
    names = ("TIMEOUT_MINUTES", "MAX_RETRIES", "THREADS", "BATCH_SIZE", "BUFFER_SIZE_MB")
    keys = [f"LAKEHOUSE_AIRBYTE__{name}" for name in names]
    return {key: settings.environ[key] for key in keys}


def dremio_login(settings: Settings) -> Login:
    section = settings.dremio
    password = _secret(section.password, "LAKEHOUSE_DREMIO__PASSWORD", settings)
    return Login(section.host, section.port, section.user, password)


def superset_login(settings: Settings) -> Login:
    host, _, port = address(settings, SUPERSET).rpartition(":")
    password = _secret(settings.superset.password, "LAKEHOUSE_SUPERSET__PASSWORD", settings)
    return Login(host, int(port), settings.superset.user, password)


def _superset(settings: Settings) -> Service:
    if settings.superset.url is None:
        raise ConfigurationError(
            "is not installed", where=SUPERSET, remedy="run `lakehouse superset install`"
        )
    secret_key = _secret(settings.superset.secret_key, "LAKEHOUSE_SUPERSET__SECRET_KEY", settings)
    metadata = settings.superset.metadata_url
    metadata_url = metadata.get_secret_value() if metadata else None
    login, dialect = superset_login(settings), settings.superset.dialect
    return superset_service(settings.home, login, secret_key, metadata_url, dialect=dialect)


def _secret(value: SecretStr | None, key: str, settings: Settings) -> str:
    return _required(value.get_secret_value() if value else None, key, settings)


def _required(value: str | None, key: str, settings: Settings) -> str:
    if not value:
        places = f"looked up in environment, then {settings.env_file}"
        raise ConfigurationError("is not set", where=key, remedy=f"{places}; `lakehouse up` generates it")
    return value
