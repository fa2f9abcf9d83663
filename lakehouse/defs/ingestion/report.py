"""What a sync says about each stream it landed."""

from __future__ import annotations

from typing import Any

import dagster as dg

from lakehouse.clients.airbyte import StreamStats
from lakehouse.defs.ingestion.sync import SyncResult
from lakehouse.settings import Settings


def stream_metadata(result: SyncResult, namespace: str, stream: str, settings: Settings) -> dict[str, Any]:
    """Rows, bytes and files that the job landed (0 when there was nothing new), its id and its seconds."""
    stats = result.report.streams.get(stream, StreamStats(0, 0))
    place = f"{settings.lake}/landing/{namespace}/{stream}"
    return {
        "lakehouse/changed_rows": stats.rows,
        "bytes": stats.bytes,
        "dagster/uri": dg.MetadataValue.path(place),
        "airbyte/job_id": result.report.job_id,
        "airbyte/adopted": result.adopted,
        "seconds": round(result.seconds, 3),
    }
