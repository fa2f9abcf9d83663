"""What a landing event says of one stream of one job."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from lakehouse.clients.airbyte import JobReport, StreamStats
from lakehouse.defs.ingestion.told import JOB, JOB_BYTES, JOB_ROWS, JOB_STARTED, LAST_FILE, Told
from lakehouse.defs.metadata import CHANGED
from lakehouse.lake.layout import landing_prefix, list_landing, parse_landing_object
from lakehouse.settings import Settings

_LOG = ("lsn", "lag_bytes", "kept_bytes", "wal_status", "safe_wal_size")


def stream_metadata(
    job: JobReport,
    namespace: str,
    stream: str,
    settings: Settings,
    *,
    log: Mapping[str, Any],
    told: Told | None = None,
    before: datetime | None = None,
) -> dict[str, Any]:
    """Rows, files and their bytes that the job landed (0 when there was nothing new), its id and seconds.

    Generation and range in the source's log are those of the files. For a log-based source also where it stands
    in the log, and how much of it the server keeps for us.

    Args:
        log: where the source stands in its log, `AirbyteClient.log_state`.
        told: left out of rows, bytes and files.
        before: when the next job of the connection began; None for the newest one.
    """
    told = told or Told()
    stats = job.streams.get(stream, StreamStats(0, 0))
    rows = stats.rows - told.rows
    metadata: dict[str, Any] = {
        CHANGED: rows,
        "lakehouse/extracted_bytes": stats.bytes - told.bytes,
        "dagster/uri": dg.MetadataValue.path(landing_prefix(settings, namespace, stream)),
        JOB: job.job_id,
        "airbyte/job_status": job.status,
        JOB_ROWS: stats.rows,
        JOB_BYTES: stats.bytes,
        **_of_files(job, namespace, stream, settings, told=told, before=before, rows=rows),
        **{f"airbyte/log_{name}": log[name] for name in _LOG if log.get(name) is not None},
    }
    if job.started:
        metadata[JOB_STARTED] = dg.MetadataValue.timestamp(job.started)
        if job.updated:
            metadata["airbyte/job_seconds"] = int((job.updated - job.started).total_seconds())
    if job.failure:
        metadata["airbyte/failure"] = job.failure
    return metadata


def _of_files(
    job: JobReport,
    namespace: str,
    stream: str,
    settings: Settings,
    *,
    told: Told,
    before: datetime | None,
    rows: int,
) -> dict[str, Any]:
    """The files that are in landing now: an overwritten generation's are gone."""
    if not rows:
        kept = {LAST_FILE: told.last_file} if told.last_file else {}
        return {"lakehouse/files": 0, "bytes": 0, **kept}
    from lakehouse.lake.filesystem import open_filesystem
    from lakehouse.lake.landed_by_job import landed_by_job

    objects = list_landing(settings, namespace, stream, _milliseconds(job.started) if job.started else None)
    if before is not None:  # both APIs tell whole seconds
        objects = [o for o in objects if o.epoch_ms < _milliseconds(before + timedelta(seconds=1))]
    if told.last_file is not None:
        last = parse_landing_object(namespace, stream, f"/{told.last_file}", 0).order
        objects = [o for o in objects if o.order > last]
    landed = landed_by_job(open_filesystem(settings), objects, job.job_id)
    facts: dict[str, Any] = {"lakehouse/files": len(landed.objects), "bytes": landed.bytes}
    if landed.objects:
        facts[LAST_FILE] = landed.objects[-1].place
    if landed.generations:
        facts["airbyte/generation"] = landed.generations[1]
    if landed.log:
        facts["airbyte/log_from"], facts["airbyte/log_to"] = landed.log
    return facts


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
