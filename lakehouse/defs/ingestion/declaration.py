"""What `ingestion/<name>/defs.yaml` declares: one Airbyte source and the connection that lands it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from lakehouse.errors import ConfigurationError

FOLDER = Path(__file__).parent

SyncMode = Literal[
    "full_refresh_overwrite", "full_refresh_append", "incremental_append", "incremental_deduped_history"
]
"""Airbyte's names. Landing is appended to in any case: the bronze merge keeps one row a key."""
SchemaUpdates = Literal["ignore", "disable_connection", "propagate_columns", "propagate_fully"]
CONTINUOUS = "* * * * * ?"
"""Quartz for every second: a sync starts as soon as the one before has ended."""


class Stream(dg.Model, dg.Resolvable):
    """One stream of a connection."""

    name: str
    sync_mode: SyncMode
    cursor_field: list[str] = Field(default_factory=list)
    """Path of the column that tells new rows from old; not for sources that define their own."""
    primary_key: list[list[str]] = Field(default_factory=list)
    selected_fields: list[str] = Field(default_factory=list)
    """The top-level fields that land; all of them when there are none."""


class Source(dg.Model, dg.Resolvable):
    """An Airbyte source: its name and the connector's own configuration, with `${...}` references."""

    name: str
    configuration: dict[str, Any]

    @model_validator(mode="after")
    def _names_its_connector(self) -> Source:
        if "sourceType" not in self.configuration:
            raise ValueError("configuration.sourceType is missing; it names the connector, such as postgres")
        return self


class Connection(dg.Model, dg.Resolvable):
    """A connection of that source to the lake's landing."""

    name: str
    namespace: str
    """Folder below landing/, and the dbt source that declares the bronze tables."""
    streams: list[Stream] = Field(min_length=1)
    schedule: str = "manual"
    """When Airbyte itself starts syncs: `manual` (Dagster does), `continuous`, or a Quartz cron expression."""
    non_breaking_schema_updates: SchemaUpdates = "propagate_columns"
    """What a change of the source's columns does."""
    landing_days: int | None = Field(default=None, ge=1)
    """How long landed objects that bronze has are kept; by default for ever, since a table that is built anew is built of
    them."""
    status: Literal["active", "inactive"] = "active"
    """An inactive connection does not sync, whoever asks; the tables that it landed stay."""

    @field_validator("schedule")
    @classmethod
    def _is_quartz(cls, schedule: str) -> str:
        fields = schedule.split()
        if schedule in ("manual", "continuous"):
            return schedule
        if len(fields) not in (6, 7) or (fields[3], fields[5]).count("?") != 1:
            raise ValueError(
                f"{schedule!r} is no schedule; write manual, continuous or a Quartz cron expression, which begins"
                " with seconds and has a ? for one of its two days, such as 0 30 1 * * ?"
            )
        return schedule

    @model_validator(mode="after")
    def _unique_streams(self) -> Connection:
        names = [stream.name for stream in self.streams]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"stream {sorted(twice)[0]!r} is declared twice")
        return self

    def stream(self, name: str) -> Stream | None:
        """The stream of that name."""
        return next((stream for stream in self.streams if stream.name == name), None)


class Declaration(dg.Model):
    """The `attributes` of one defs.yaml."""

    source: Source
    connection: Connection


@cache
def declarations(folder: Path = FOLDER) -> dict[Path, Declaration]:
    """Every declared connection by its file.

    Raises:
        ConfigurationError: an unknown or wrong key, or two connections of one name: names are what finds them
            in Airbyte.
    """
    found = {path: read_declaration(path) for path in sorted(folder.glob("*/defs.yaml"))}
    by_name: dict[str, Path] = {}
    for path, declaration in found.items():
        name = declaration.connection.name
        if name in by_name:
            raise ConfigurationError(
                f"connection {name!r} is declared in {by_name[name]} already",
                where=f"{path}: connection.name",
                remedy="give it a name of its own",
            )
        by_name[name] = path
    return found


def connection_of(name: str, folder: Path = FOLDER) -> Connection | None:
    """The declared connection of that name."""
    for declaration in declarations(folder).values():
        if declaration.connection.name == name:
            return declaration.connection
    return None


def read_declaration(path: Path) -> Declaration:
    """What one defs.yaml declares. Raises ConfigurationError naming the file and the key."""
    try:
        document = yaml.safe_load(path.read_text())
        return Declaration.model_validate(document["attributes"])
    except yaml.YAMLError as error:
        raise ConfigurationError(f"is no YAML: {' '.join(str(error).split())}", where=str(path)) from None
    except (KeyError, TypeError):
        raise ConfigurationError("has no `attributes`", where=str(path)) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        problem = (
            "unknown key"
            if first["type"] == "extra_forbidden"
            else first["msg"].removeprefix("Value error, ")
        )
        raise ConfigurationError(problem, where=f"{path}: {key}") from None
