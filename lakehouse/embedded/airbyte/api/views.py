"""Stored rows as the two APIs show them; null fields are left out, because clients test for presence."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from lakehouse.embedded.airbyte.catalog import SYNC_MODES, api_stream, public_configurations
from lakehouse.embedded.airbyte.connectors.registry import S3_DESTINATION_ID, Registry
from lakehouse.embedded.airbyte.operations.secrets import masked
from lakehouse.embedded.airbyte.schedules import Schedule
from lakehouse.embedded.airbyte.store import Row

_NAMESPACES = {"source": "source", "destination": "destination", "custom_format": "customformat"}
_SCHEMA_UPDATES = {"disable_connection": "disable"}


def public_workspace(row: Row) -> dict[str, Any]:
    """WorkspaceResponse of the public API."""
    return {"workspaceId": row["id"], "name": row["name"], "dataResidency": "auto", "notifications": {}}


def public_actor(row: Row, registry: Registry) -> dict[str, Any]:
    """SourceResponse or DestinationResponse of the public API."""
    kind = row["kind"]
    return {
        f"{kind}Id": row["id"],
        "name": row["name"],
        f"{kind}Type": row["type"],
        "definitionId": _definition_id(row, registry),
        "workspaceId": row["workspace_id"],
        "configuration": {f"{kind}Type": row["type"], **_masked(row, registry)},
        "createdAt": row["created_at"] // 1000,
    }


def _masked(row: Row, registry: Registry) -> dict[str, Any]:
    connector = registry.source(row["type"]) if row["kind"] == "source" else None
    return masked(row["configuration"], connector.secret_names if connector else frozenset())


def _definition_id(row: Row, registry: Registry) -> str:
    connector = registry.source(row["type"]) if row["kind"] == "source" else None
    return connector.definition_id if connector else S3_DESTINATION_ID if row["kind"] == "destination" else ""


def _public_schedule(schedule: Schedule | None) -> dict[str, Any]:
    if schedule is None:
        return {"scheduleType": "manual"}
    if schedule.is_cron:
        zone = "" if schedule.time_zone == "UTC" else f" {schedule.time_zone}"
        return {"scheduleType": "cron", "cronExpression": schedule.cron_expression + zone}
    return {"scheduleType": "basic", "basicTiming": f"Every {schedule.units} {schedule.time_unit}"}


def _config_schedule(schedule: Schedule | None) -> dict[str, Any]:
    if schedule is None:
        return {"scheduleType": "manual"}
    if schedule.is_cron:
        cron = {"cronExpression": schedule.cron_expression, "cronTimeZone": schedule.time_zone}
        return {"scheduleType": "cron", "scheduleData": {"cron": cron}}
    basic = {"timeUnit": schedule.time_unit, "units": schedule.units}
    return {"scheduleType": "basic", "scheduleData": {"basicSchedule": basic}}


def public_connection(row: Row, schedule: Schedule | None) -> dict[str, Any]:
    """ConnectionResponse of the public API."""
    shown = {
        "connectionId": row["id"],
        "name": row["name"],
        "sourceId": row["source_id"],
        "destinationId": row["destination_id"],
        "workspaceId": row["workspace_id"],
        "status": row["status"],
        "schedule": _public_schedule(schedule),
        "dataResidency": "auto",
        "configurations": {"streams": public_configurations(row["catalog"])},
        "createdAt": row["created_at"] // 1000,
        "tags": [],
        "namespaceDefinition": row["namespace_definition"],
        "nonBreakingSchemaUpdatesBehavior": row["schema_updates"],
        "prefix": row["prefix"],
    }
    if row["namespace_format"]:
        shown["namespaceFormat"] = row["namespace_format"]
    return shown


def public_definition(definition: Row) -> dict[str, Any]:
    """DefinitionResponse of the public API; there is no image, so repository and tag say which connector it is."""
    kind, type_ = definition["kind"], definition["type"]
    return {
        "id": definition["id"],
        "name": type_,
        "dockerRepository": f"lakehouse/{kind}-{type_}",
        "dockerImageTag": version("lakehouse"),
    }


def public_stream(stream: Mapping[str, Any]) -> dict[str, Any]:
    """StreamProperties of the public API, of a protocol AirbyteStream."""
    described = api_stream(stream)
    modes = [
        name
        for name, (source_mode, _) in SYNC_MODES.items()
        if source_mode in described["supportedSyncModes"]
    ]
    return {
        "streamName": described["name"],
        "streamnamespace": described.get("namespace", ""),
        "syncModes": modes,
        "defaultCursorField": described["defaultCursorField"],
        "sourceDefinedCursorField": described["sourceDefinedCursor"],
        "sourceDefinedPrimaryKey": described["sourceDefinedPrimaryKey"],
        "propertyFields": _fields(described["jsonSchema"], ()),
    }


def _fields(schema: Mapping[str, Any], path: tuple[str, ...]) -> list[list[str]]:
    """Paths of every field, those inside objects included."""
    found: list[list[str]] = []
    for name, field in (schema.get("properties") or {}).items():
        found.append([*path, name])
        if isinstance(field, dict):
            found += _fields(field, (*path, name))
    return found


def config_actor(row: Row, registry: Registry) -> dict[str, Any]:
    """SourceRead or DestinationRead of the configuration API."""
    kind = row["kind"]
    return {
        f"{kind}Id": row["id"],
        f"{kind}DefinitionId": _definition_id(row, registry),
        "workspaceId": row["workspace_id"],
        "connectionConfiguration": _masked(row, registry),
        "name": row["name"],
        f"{kind}Name": row["type"],
        "createdAt": row["created_at"] // 1000,
        "status": "active",
    }


def config_definition(definition: Row) -> dict[str, Any]:
    """SourceDefinitionRead or DestinationDefinitionRead of the configuration API."""
    shown = public_definition(definition)
    return {f"{definition['kind']}DefinitionId": shown.pop("id"), **shown}


def config_workspace(row: Row) -> dict[str, Any]:
    """WorkspaceRead of the configuration API."""
    return {
        "workspaceId": row["id"],
        "name": row["name"],
        "slug": row["name"].lower(),
        "initialSetupComplete": True,
        "tombstone": False,
    }


def config_connection(row: Row, schedule: Schedule | None) -> dict[str, Any]:
    """ConnectionRead of the configuration API."""
    shown = {
        "connectionId": row["id"],
        "name": row["name"],
        "sourceId": row["source_id"],
        "destinationId": row["destination_id"],
        "workspaceId": row["workspace_id"],
        "namespaceDefinition": _NAMESPACES[row["namespace_definition"]],
        "prefix": row["prefix"],
        **_config_schedule(schedule),
        "status": row["status"],
        "nonBreakingChangesPreference": _SCHEMA_UPDATES.get(row["schema_updates"], row["schema_updates"]),
        "syncCatalog": row["catalog"],
        "breakingChange": False,
        "createdAt": row["created_at"] // 1000,
    }
    if row["namespace_format"]:
        shown["namespaceFormat"] = row["namespace_format"]
    return shown
