"""Stored jobs as the two APIs show them; null fields are left out, because clients test for presence."""

from __future__ import annotations

from typing import Any

from lakehouse.embedded.airbyte.attempts import Attempt
from lakehouse.embedded.airbyte.clock import epoch_ms, iso_duration, iso_moment
from lakehouse.embedded.airbyte.store import Row

_CONFIG_TYPES = {"reset": "reset_connection"}


def public_job(job: Row, attempts: list[Attempt]) -> dict[str, Any]:
    """JobResponse of the public API; its figures are those of all attempts together."""
    started = attempts[0].started_at if attempts else None
    end = job["ended_at"] or epoch_ms()
    return {
        "jobId": job["id"],
        "status": job["status"],
        "jobType": job["type"],
        "connectionId": job["connection_id"],
        "startTime": iso_moment(started or job["created_at"]),
        "lastUpdatedAt": iso_moment(job["updated_at"]),
        "duration": iso_duration(end - (started or end)),
        "bytesSynced": sum(stream["bytes_committed"] for attempt in attempts for stream in attempt.streams),
        "rowsSynced": sum(stream["records_committed"] for attempt in attempts for stream in attempt.streams),
    }


def config_job(job: Row, attempts: list[Attempt]) -> dict[str, Any]:
    """JobRead of the configuration API."""
    shown = {
        "id": job["id"],
        "configType": _CONFIG_TYPES.get(job["type"], job["type"]),
        "configId": job["connection_id"],
        "status": job["status"],
        "createdAt": job["created_at"] // 1000,
        "updatedAt": job["updated_at"] // 1000,
    }
    return shown | ({"startedAt": attempts[0].started_at // 1000} if attempts else {})


def config_attempt(attempt: Attempt) -> dict[str, Any]:
    """AttemptRead of the configuration API; `files` of a stream, how many it landed, is an extension."""
    shown: dict[str, Any] = {
        "id": attempt.number,
        "status": attempt.status,
        "createdAt": attempt.started_at // 1000,
        "updatedAt": attempt.updated_at // 1000,
        "bytesSynced": sum(stream["bytes_committed"] for stream in attempt.streams),
        "recordsSynced": sum(stream["records_committed"] for stream in attempt.streams),
        "totalStats": _stats(attempt.streams),
        "streamStats": [_stream_stats(stream) for stream in attempt.streams],
    }
    if attempt.ended_at is not None:
        shown["endedAt"] = attempt.ended_at // 1000
    if attempt.failure:
        partial = any(stream["records_committed"] for stream in attempt.streams)
        shown["failureSummary"] = {"failures": [attempt.failure], "partialSuccess": partial}
    return shown


def config_job_info(job: Row, attempts: list[Attempt], log_lines: list[str]) -> dict[str, Any]:
    """JobInfoRead of the configuration API; the log is the job's, and stands with its latest attempt."""
    shown = [{"attempt": config_attempt(attempt), "logs": {"logLines": list[str]()}} for attempt in attempts]
    if shown:
        shown[-1]["logs"] = {"logLines": log_lines}
    return {"job": config_job(job, attempts), "attempts": shown}


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
