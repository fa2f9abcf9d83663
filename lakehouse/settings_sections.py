"""The sections of the settings: one for each system, `LAKEHOUSE_<SECTION>__<KEY>`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

TOKEN_LENGTH = 20


class Section(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IcebergSettings(Section):
    """The Iceberg catalogue of the lake: SQLite on a laptop, a REST catalogue (Polaris, Nessie) elsewhere."""

    type: Literal["sql", "rest"] = "sql"
    uri: str | None = None
    """SQLAlchemy URL (sql) or HTTP address (rest); by default SQLite under the home directory."""
    credential: SecretStr | None = None
    """`client_id:client_secret` of a REST catalogue."""


class S3Settings(Section):
    """How to reach an `s3://` lake; unset keys are left to the AWS environment."""

    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None


class DremioSettings(Section):
    host: str = "127.0.0.1"
    port: int = 9047
    """REST port."""
    flight_port: int = 32010
    tls: bool = False
    user: str = "lakehouse"
    password: SecretStr | None = None

    @property
    def url(self) -> str:
        """Base address of the REST API."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def flight_url(self) -> str:
        """Arrow Flight location."""
        return f"grpc{'+tls' if self.tls else '+tcp'}://{self.host}:{self.flight_port}"


class AirbyteSettings(Section):
    url: str = "http://127.0.0.1:8000"
    workspace_id: str | None = None
    """By default the workspace of the embedded server."""
    user: str | None = "lakehouse"
    password: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    poll_seconds: float = Field(default=0.5, gt=0)
    timeout_minutes: float = Field(default=60, gt=0)
    """This and what follows is how the embedded server runs its jobs."""
    max_retries: int = Field(default=3, ge=0)
    threads: int = Field(default=2, ge=1)
    batch_size: int = Field(default=20_000, ge=1)
    buffer_size_mb: int = Field(default=200, ge=1)


class PostgresSettings(Section):
    """The embedded Postgres, which holds the demo shop."""

    host: str = "127.0.0.1"
    port: int = 15432
    user: str = "lakehouse"
    password: SecretStr | None = None


class SupersetSettings(Section):
    """Where dashboards are; without an address there is no Superset."""

    url: str | None = None
    user: str = "lakehouse"
    """The service user."""
    password: SecretStr | None = None
    secret_key: SecretStr | None = None
    """What the embedded Superset encrypts the passwords of its databases with."""
    metadata_url: SecretStr | None = None
    """SQLAlchemy URL of its own database, `postgresql://…`; by default SQLite under the home directory."""
    dialect: Literal["lakehouse", "plain"] = "lakehouse"
    """What it reads Dremio with: our SQLAlchemy dialect, or sqlalchemy-dremio as it is."""
    dremio_host: str | None = None
    """Where it reaches Dremio, when that is not `dremio.host`: the name of a container."""
    dremio_ca: Path | None = None
    """PEM file of the authorities that it trusts when Dremio's Flight port speaks TLS."""
    dremio_verify: bool = True
    """Whether it checks the certificate of Dremio's Flight port."""

    @field_validator("url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("allowed are http://host:port and https://host[:port]")
        return value.rstrip("/") if value else None


class MetadataSettings(Section):
    """The database of run history, syncs and outcomes of partitions."""

    url: SecretStr | None = None
    """`postgresql://user:password@host/database` or `sqlite:////path`; by default SQLite under the home directory."""

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: SecretStr | None) -> SecretStr | None:
        allowed = ("sqlite:///", "postgresql://", "postgresql+psycopg://")
        if value is not None and not value.get_secret_value().startswith(allowed):
            raise ValueError("allowed are postgresql://user:password@host:port/database and sqlite:////path")
        return value


class ElasticsearchSettings(Section):
    """Where logs are searched; without an address in a SQLite file of the home directory."""

    url: str | None = None
    """`http(s)://host:port`."""
    user: str | None = None
    password: SecretStr | None = None
    api_key: SecretStr | None = None
    """In place of user and password."""
    ca_file: Path | None = None
    """Certificates of who signed the server's."""
    index: str = Field(default="airbyte-logs", pattern="^[a-z][a-z0-9_-]*$")
    """Indices are named `<index>-YYYY.MM.DD`."""

    @field_validator("url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("allowed are http://host:port and https://host:port")
        return value.rstrip("/") if value else None


class RetentionSettings(Section):
    """What `lakehouse retention apply` keeps, in days; landed objects are kept as each connection declares."""

    runs_days: int = Field(default=90, ge=1)
    """Dagster's runs and their events; those that are still read are kept however old."""
    logs_days: int = Field(default=30, ge=1)
    """What the steps of runs printed."""
    log_search_days: int = Field(default=30, ge=1)
    """Log records in the searchable store."""
    log_archive_days: int = Field(default=90, ge=1)
    """Log records in the lake."""
    snapshots_days: int = Field(default=7, ge=1)
    """Earlier snapshots of Iceberg tables, which time travel reads."""


class DagsterSettings(Section):
    host: str = "127.0.0.1"
    port: int = 3000


class ApiSettings(Section):
    """The REST API of the platform."""

    host: str = "127.0.0.1"
    port: int = 3080
    tokens: SecretStr | None = None
    """One or more, separated by commas: while one is replaced by another, both are accepted."""
    requests_per_second: float = Field(default=500, gt=0)
    """Of one address; as many again may come at once."""
    query_rows: int = Field(default=100_000, ge=1)
    """The most rows that a query answers."""
    query_seconds: float = Field(default=30, gt=0)

    @field_validator("tokens")
    @classmethod
    def _not_to_be_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(token) < TOKEN_LENGTH for token in _split(value)):
            raise ValueError(f"tokens have at least {TOKEN_LENGTH} characters, and commas between them")
        return value

    @property
    def accepted_tokens(self) -> list[str]:
        """Each of the tokens; the first is the one that our own clients send."""
        return _split(self.tokens) if self.tokens else []


class AlertsSettings(Section):
    file: Path | None = None
    """An alerts.yaml in place of the shipped one."""


def _split(tokens: SecretStr) -> list[str]:
    return [token.strip() for token in tokens.get_secret_value().split(",")]
