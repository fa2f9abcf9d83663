"""Connections that were made in Airbyte by hand, as the declarations that `connections apply` would make them of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lakehouse.clients.airbyte import AirbyteClient
from lakehouse.defs.ingestion.apply import without_zone
from lakehouse.defs.ingestion.declaration import CONTINUOUS, Declaration
from lakehouse.errors import ConfigurationError
from lakehouse.scaffold.documents import COMPONENT, Document
from lakehouse.scaffold.source import slug


@dataclass(frozen=True)
class Exported:
    """A live connection as a defs.yaml."""

    name: str
    folder: str
    """Of the declaration: `defs/ingestion/<folder>/defs.yaml`."""
    document: Document
    variables: tuple[str, ...]
    """What its `${env:...}` references ask for: Airbyte shows no secrets."""


def export(airbyte: AirbyteClient, names: Collection[str], declared: Collection[str]) -> list[Exported]:
    """The live connections of these names; without names, all that are not in `declared`.

    Raises:
        ConfigurationError: no connection of that name, or a schedule that has no declaration.
    """
    live = {connection["name"]: connection for connection in airbyte.list("connections")}
    for name in names:
        if name not in live:
            known = ", ".join(sorted(live)) or "none"
            raise ConfigurationError(
                f"has no connection {name!r}",
                where=f"Airbyte at {airbyte.settings.url}",
                remedy=f"it has {known}",
            )
    chosen = names or [name for name in live if name not in declared]
    sources = {source["sourceId"]: source for source in airbyte.list("sources")}
    return [_exported(live[name], sources[live[name]["sourceId"]]) for name in chosen]


def _exported(connection: Mapping[str, Any], source: Mapping[str, Any]) -> Exported:
    found = _Configuration(slug(source["name"]))
    configuration = {"sourceType": source["sourceType"], **found.without_secrets(source["configuration"])}
    attributes = {
        "source": {"name": source["name"], "configuration": configuration},
        "connection": {
            "name": connection["name"],
            "namespace": _namespace(connection),
            "schedule": _schedule(connection),
            "non_breaking_schema_updates": connection["nonBreakingSchemaUpdatesBehavior"],
            "status": connection["status"],
            "streams": [_stream(stream) for stream in connection["configurations"]["streams"]],
        },
    }
    defaults = {
        "schedule": "manual",
        "non_breaking_schema_updates": "propagate_columns",
        "status": "active",
    }
    for key, default in defaults.items():
        if attributes["connection"][key] == default:
            del attributes["connection"][key]
    Declaration.model_validate(attributes)
    document = {"type": COMPONENT, "attributes": attributes}
    return Exported(connection["name"], slug(connection["name"]), document, tuple(found.variables))


@dataclass
class _Configuration:
    source: str
    variables: list[str] = field(default_factory=list)

    def without_secrets(self, value: Any, key: str = "") -> Any:
        """The value with a reference in the place of every secret."""
        if isinstance(value, Mapping):
            return {name: self.without_secrets(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.without_secrets(item, key) for item in value]
        if isinstance(value, str) and value and not value.strip("*"):
            variable = f"{self.source}_{slug(key)}".upper()
            self.variables.append(variable)
            return f"${{env:{variable}}}"
        return value


def _namespace(connection: Mapping[str, Any]) -> str:
    """Where it lands; what lands elsewhere would land in a folder of the connection's name."""
    given = str(connection.get("namespaceFormat") or "")
    own = connection.get("namespaceDefinition") in ("custom_format", "customformat") and "${" not in given
    return given if own and given else slug(connection["name"])


def _schedule(connection: Mapping[str, Any]) -> str:
    schedule = without_zone(dict(connection))["schedule"]
    if schedule["scheduleType"] == "manual":
        return "manual"
    if schedule["scheduleType"] != "cron":
        raise ConfigurationError(
            f"connection {connection['name']} has the schedule {schedule.get('basicTiming')!r},"
            " and declarations know cron expressions",
            where="schedule",
            remedy="give it one in Airbyte, such as 0 0 * * * ? for every hour",
        )
    expression = str(schedule["cronExpression"])
    return "continuous" if expression == CONTINUOUS else expression


def _stream(stream: Mapping[str, Any]) -> Document:
    return dict(_stream_keys(stream))


def _stream_keys(stream: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "name", stream["name"]
    yield "sync_mode", stream["syncMode"]
    if stream.get("cursorField"):
        yield "cursor_field", list(stream["cursorField"])
    if stream.get("primaryKey"):
        yield "primary_key", [list(path) for path in stream["primaryKey"]]
