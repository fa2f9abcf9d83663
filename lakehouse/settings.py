"""The one settings tree: environment, then `<home>/lakehouse.env`, then defaults.

Every key is an environment variable `LAKEHOUSE_<KEY>`, nested with two underscores
(`LAKEHOUSE_DREMIO__PORT`). The embedded stack writes `<home>/lakehouse.env` (mode 0600) at its
first start: generated credentials and the ports in use. Switching to real servers is changing values here.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from lakehouse.errors import ConfigurationError
from lakehouse.settings_sections import (
    AirbyteSettings,
    AlertsSettings,
    ApiSettings,
    DagsterSettings,
    DremioSettings,
    ElasticsearchSettings,
    IcebergSettings,
    MetadataSettings,
    PostgresSettings,
    RetentionSettings,
    S3Settings,
    SupersetSettings,
)

PREFIX = "LAKEHOUSE_"
ENV_FILE_NAME = "lakehouse.env"


class Settings(BaseSettings):
    """All settings, validated. `load_settings()` is the way to get one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="ignore",  # <home>/lakehouse.env holds the secrets of sources too; load_settings refuses the rest
        frozen=True,
        nested_model_default_partial_update=True,
    )

    home: Path = Path("~/.lakehouse")
    environment: str = "local"
    """One that `lakehouse/defs/automation/environments.yaml` declares; of the process environment only."""
    lake_url: str | None = None
    """`file:///...` or `s3://bucket[/prefix]`; by default `<home>/lake`."""
    s3: S3Settings = S3Settings()
    iceberg: IcebergSettings = IcebergSettings()
    dremio: DremioSettings = DremioSettings()
    airbyte: AirbyteSettings = AirbyteSettings()
    postgres: PostgresSettings = PostgresSettings()
    superset: SupersetSettings = SupersetSettings()
    metadata: MetadataSettings = MetadataSettings()
    elasticsearch: ElasticsearchSettings = ElasticsearchSettings()
    retention: RetentionSettings = RetentionSettings()
    dagster: DagsterSettings = DagsterSettings()
    api: ApiSettings = ApiSettings()
    alerts: AlertsSettings = AlertsSettings()

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("lake_url")
    @classmethod
    def _known_scheme(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("file:///", "s3://")):
            raise ValueError("allowed are file:///<absolute path> and s3://<bucket>[/<prefix>]")
        return value.rstrip("/") if value else None

    @property
    def env_file(self) -> Path:
        """Where the embedded stack keeps generated credentials and ports."""
        return self.home / ENV_FILE_NAME

    @property
    def lake(self) -> str:
        """The lake's root URL without a trailing slash."""
        return self.lake_url or f"file://{self.home}/lake"

    @property
    def iceberg_uri(self) -> str:
        """Address of the Iceberg catalogue."""
        return self.iceberg.uri or f"sqlite:///{self.home}/iceberg/catalog.db"

    @property
    def metadata_uri(self) -> str:
        """SQLAlchemy URL of the metadata database; holds its password."""
        url = self.metadata.url
        return url.get_secret_value() if url else f"sqlite:///{self.home}/metadata/metadata.db"

    @cached_property
    def environ(self) -> dict[str, str]:
        """Every set value as `LAKEHOUSE_*` variables, for child processes such as dbt. Holds secrets."""
        return dict(_flatten(PREFIX, self.model_dump(mode="python"))) | {f"{PREFIX}LAKE_URL": self.lake}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  pydantic-settings gives it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings


def load_settings(home: Path | None = None) -> Settings:
    """Read and validate the settings of `home` (default: LAKEHOUSE_HOME, then ~/.lakehouse).

    Raises:
        ConfigurationError: an unknown or invalid key; one line that names the key, the places looked up
            and what is allowed.
    """
    chosen = home or Path(os.environ.get(f"{PREFIX}HOME") or "~/.lakehouse")
    env_file = chosen.expanduser().resolve() / ENV_FILE_NAME
    places = f"environment, then {env_file}"
    _refuse_unknown_keys(env_file)
    _refuse_environment_in(env_file)
    try:
        return Settings(_env_file=env_file if env_file.is_file() else None, home=chosen)
    except ValidationError as error:
        first = error.errors()[0]
        key = PREFIX + "__".join(str(part).upper() for part in first["loc"])
        allowed = first["msg"].removeprefix("Value error, ")
        value = "" if key in _secret_keys() else f" {first.get('input')!r}"
        raise ConfigurationError(
            f"bad value{value}: {allowed}", where=key, remedy=f"looked up in {places}"
        ) from None


def environment_name() -> str:
    """Which environment this process is of; needs no home, since the definitions load without one."""
    return os.environ.get(f"{PREFIX}ENVIRONMENT") or "local"


def environment(settings: Settings) -> dict[str, str]:
    """What `${env:NAME}` references resolve against: the process environment over `<home>/lakehouse.env`."""
    written = dotenv_values(settings.env_file, interpolate=False)  # a password may hold ${
    from_file = {name: value for name, value in written.items() if value is not None}
    return {**settings.environ, **from_file, **os.environ}


def _refuse_unknown_keys(env_file: Path) -> None:
    known = set(known_keys())
    sources = [("environment", list(os.environ))]
    if env_file.is_file():
        sources.append((str(env_file), list(dotenv_values(env_file))))
    for place, names in sources:
        for name in names:
            if name.startswith(PREFIX) and name not in known:
                near = get_close_matches(name, known, n=1)
                remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
                raise ConfigurationError("unknown setting", where=f"{name} ({place})", remedy=remedy)


def _refuse_environment_in(env_file: Path) -> None:
    name = f"{PREFIX}ENVIRONMENT"
    if env_file.is_file() and name in dotenv_values(env_file):
        # Dagster's code servers know of no home while they load: there it would silently be another environment.
        raise ConfigurationError(
            "is read from the environment only", where=f"{name} ({env_file})", remedy="export it"
        )


def known_keys() -> list[str]:
    """Every environment variable the settings tree reads."""
    keys: list[str] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            keys += [f"{PREFIX}{name.upper()}__{sub.upper()}" for sub in section.model_fields]
        else:
            keys.append(f"{PREFIX}{name.upper()}")
    return keys


def _secret_keys() -> set[str]:
    """Those whose values are not shown."""
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        f"{PREFIX}{name.upper()}__{sub.upper()}"
        for name, section in sections.items()
        if isinstance(section, type) and issubclass(section, BaseModel)
        for sub, field in section.model_fields.items()
        if field.annotation == SecretStr | None
    }


def _flatten(prefix: str, values: dict[str, Any]) -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            flat += _flatten(f"{prefix}{name.upper()}__", value)
        elif isinstance(value, SecretStr):
            flat.append((prefix + name.upper(), value.get_secret_value()))
        elif value is not None:
            flat.append((prefix + name.upper(), str(value)))
    return flat
