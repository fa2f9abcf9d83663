"""What a sync says about each stream it landed."""

from __future__ import annotations

from typing import Any

import dagster as dg

from lakehouse.clients.airbyte import StreamStats
from lakehouse.defs.ingestion.sync import SyncResult
from lakehouse.defs.metadata import CHANGED
from lakehouse.lake.layout import landing_prefix, list_landing
from lakehouse.settings import Settings

_LOG = ("lsn", "lag_bytes", "wal_status")


def stream_metadata(result: SyncResult, namespace: str, stream: str, settings: Settings) -> dict[str, Any]:
    """Rows, files and their bytes that the job landed (0 when there was nothing new), its id and seconds.

    For a log-based source also where it stands in the log, and how much of it the server keeps for us.
    """
    stats = result.report.streams.get(stream, StreamStats(0, 0))
    started = result.report.started
    since = int(started.timestamp() * 1000) if started else None
    files = list_landing(settings, namespace, stream, since) if stats.rows else []
    return {
        CHANGED: stats.rows,
        "lakehouse/extracted_bytes": stats.bytes,
        "lakehouse/files": len(files),
        "bytes": sum(file.size for file in files),
        "dagster/uri": dg.MetadataValue.path(landing_prefix(settings, namespace, stream)),
        "airbyte/job_id": result.report.job_id,
        "airbyte/adopted": result.adopted,
        "seconds": round(result.seconds, 3),
        **{f"airbyte/log_{name}": result.log[name] for name in _LOG if result.log.get(name) is not None},
    }
