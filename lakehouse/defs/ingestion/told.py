"""What the landing events of a connection have told already: nothing of a job is told twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import AssetRecordsFilter

if TYPE_CHECKING:
    from lakehouse.clients.airbyte import JobReport

JOB, JOB_STARTED = "airbyte/job_id", "airbyte/job_started"
JOB_ROWS, JOB_BYTES, LAST_FILE = "airbyte/job_rows", "airbyte/job_bytes", "lakehouse/last_file"
_PAGE = 200


@dataclass(frozen=True)
class Told:
    """What earlier events have told of the same job and stream: rows, bytes, and the newest file."""

    rows: int = 0
    bytes: int = 0
    last_file: str | None = None
    """`date=YYYY-MM-DD/<name>`."""


class ToldJobs:
    """One look at the newest landing events of some streams.

    A job is known by its number and the second in which it was made: an Airbyte that was made anew, or another one
    under the same settings, counts from 1 again.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        streams: Mapping[str, dg.AssetKey],
        since: datetime | None = None,
    ) -> None:
        """Reads back to the events of jobs that were made before `since`; without, the newest page of each stream."""
        self.newest_start: datetime | None = None
        """When the newest job was made that an event tells of; None when there is none."""
        self._jobs: dict[tuple[str, int, datetime | None], Told] = {}
        for stream, key in streams.items():
            for record in _events(instance, key, since):
                self._add(stream, record.metadata)

    def of(self, stream: str, job: JobReport) -> Told | None:
        """What was told of that job's stream; None when no event names it."""
        return self._jobs.get((stream, job.job_id, job.started))

    def _add(self, stream: str, metadata: Mapping[str, dg.MetadataValue[Any]]) -> None:
        if JOB not in metadata or JOB_STARTED not in metadata:
            return
        started = moment_of(metadata, JOB_STARTED)
        self.newest_start = max(self.newest_start or started, started)
        place = (stream, int(_value(metadata, JOB)), started)
        told = Told(
            rows=_value(metadata, JOB_ROWS),
            bytes=_value(metadata, JOB_BYTES),
            last_file=_value(metadata, LAST_FILE),
        )
        known = self._jobs.get(place)
        self._jobs[place] = told if known is None or told.rows > known.rows else known


def _events(
    instance: dg.DagsterInstance, key: dg.AssetKey, since: datetime | None
) -> Iterator[dg.AssetMaterialization]:
    wanted, cursor = AssetRecordsFilter(asset_key=key), None
    while True:
        page = instance.fetch_materializations(wanted, limit=_PAGE, cursor=cursor)
        events = [record.asset_materialization for record in page.records if record.asset_materialization]
        yield from events
        starts = [moment_of(event.metadata, JOB_STARTED) for event in events if JOB_STARTED in event.metadata]
        if since is None or not page.has_more or not starts or max(starts) < since:
            return
        cursor = page.cursor


def moment_of(metadata: Mapping[str, dg.MetadataValue[Any]], name: str) -> datetime:
    """A time stamp of an event."""
    return datetime.fromtimestamp(_value(metadata, name), UTC)


def _value(metadata: Mapping[str, dg.MetadataValue[Any]], name: str) -> Any:
    found = metadata.get(name)
    return found.value if found is not None else None
