"""Stored rows as the two APIs show them; null fields are left out, because clients test for presence."""

from __future__ import annotations

from typing import Any

from lakehouse.embedded.airbyte.catalog import public_configurations
from lakehouse.embedded.airbyte.clock import epoch_ms, iso_duration, iso_moment
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
        "configuration": {f"{kind}Type": row["type"], **masked(row["configuration"])},
        "createdAt": row["created_at"] // 1000,
    }


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


def public_job(row: Row, streams: list[Row]) -> dict[str, Any]:
    """JobResponse of the public API; `startTime` is when the job was asked for, as Airbyte has it."""
    end = row["ended_at"] or epoch_ms()
    return {
        "jobId": row["id"],
        "status": row["status"],
        "jobType": row["type"],
        "connectionId": row["connection_id"],
        "startTime": iso_moment(row["started_at"] or row["created_at"]),
        "lastUpdatedAt": iso_moment(row["updated_at"]),
        "duration": iso_duration(end - (row["started_at"] or end)),
        "bytesSynced": sum(stream["bytes_committed"] for stream in streams),
        "rowsSynced": sum(stream["records_committed"] for stream in streams),
    }


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


def config_job(row: Row, streams: list[Row], log_lines: list[str]) -> dict[str, Any]:
    """JobInfoRead of the configuration API; `files` of a stream, how many it landed, is an extension."""
    job = {
        "id": row["id"],
        "configType": row["type"],
        "configId": row["connection_id"],
        "status": row["status"],
        "createdAt": row["created_at"] // 1000,
        "updatedAt": row["updated_at"] // 1000,
    }
    if row["started_at"] is None:
        return {"job": job, "attempts": []}
    job["startedAt"] = row["started_at"] // 1000
    attempt = {
        "id": 0,
        "status": {"pending": "running", "cancelled": "failed"}.get(row["status"], row["status"]),
        "createdAt": row["started_at"] // 1000,
        "updatedAt": row["updated_at"] // 1000,
        "bytesSynced": sum(stream["bytes_committed"] for stream in streams),
        "recordsSynced": sum(stream["records_committed"] for stream in streams),
        "totalStats": _stats(streams),
        "streamStats": [_stream_stats(stream) for stream in streams],
    }
    if row["ended_at"] is not None:
        attempt["endedAt"] = row["ended_at"] // 1000
    if row["failure"]:
        partial = any(stream["records_committed"] for stream in streams)
        attempt["failureSummary"] = {"failures": [row["failure"]], "partialSuccess": partial}
    return {"job": job, "attempts": [{"attempt": attempt, "logs": {"logLines": log_lines}}]}


def _stream_stats(stream: Row) -> dict[str, Any]:
    shown = {"streamName": stream["name"], "stats": _stats([stream]), "files": stream["files"]}
    return shown | ({"streamNamespace": stream["namespace"]} if stream["namespace"] else {})


def _stats(streams: list[Row]) -> dict[str, int]:
    return {
        "recordsEmitted": sum(stream["records_emitted"] for stream in streams),
        "bytesEmitted": sum(stream["bytes_emitted"] for stream in streams),
        "stateMessagesEmitted": sum(stream["states"] for stream in streams),
        "recordsCommitted": sum(stream["records_committed"] for stream in streams),
        "bytesCommitted": sum(stream["bytes_committed"] for stream in streams),
    }
