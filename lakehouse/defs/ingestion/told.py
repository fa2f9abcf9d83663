"""What the landing events of a connection have told already: nothing of a job is told twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import AssetRecordsFilter

from lakehouse.defs.ingestion.report import JOB, JOB_BYTES, JOB_ROWS, JOB_STARTED, LAST_FILE, Told
from lakehouse.defs.metadata import CHANGED

_EVENTS = 200
"""A stream's newest events; what is older than all of them is not asked for."""


class ToldJobs:
    """One look at the newest landing events of some streams."""

    def __init__(self, instance: dg.DagsterInstance, streams: Mapping[str, dg.AssetKey]) -> None:
        self.newest_job = 0
        """The newest job that an event tells of; 0 when there is none."""
        self.newest_start: datetime | None = None
        """When it began."""
        self._jobs: dict[tuple[str, int], Told] = {}
        for stream, key in streams.items():
            page = instance.fetch_materializations(AssetRecordsFilter(asset_key=key), limit=_EVENTS)
            for record in page.records:
                if record.asset_materialization:
                    self._add(stream, record.asset_materialization.metadata)

    def of(self, stream: str, job_id: int) -> Told | None:
        """What was told of that job's stream; None when no event names it."""
        return self._jobs.get((stream, job_id))

    def _add(self, stream: str, metadata: Mapping[str, dg.MetadataValue[Any]]) -> None:
        if JOB not in metadata:
            return
        place = (stream, int(_value(metadata, JOB)))
        # Events of earlier versions tell the whole job and no sum.
        told = Told(
            rows=_value(metadata, JOB_ROWS) if JOB_ROWS in metadata else _value(metadata, CHANGED) or 0,
            bytes=_value(metadata, JOB_BYTES) or 0,
            last_file=_value(metadata, LAST_FILE),
        )
        known = self._jobs.get(place)
        self._jobs[place] = told if known is None or told.rows > known.rows else known
        if place[1] > self.newest_job:
            self.newest_job = place[1]
            started = _value(metadata, JOB_STARTED)
            self.newest_start = datetime.fromtimestamp(started, UTC) if started else None


def _value(metadata: Mapping[str, dg.MetadataValue[Any]], name: str) -> Any:
    found = metadata.get(name)
    return found.value if found is not None else None
