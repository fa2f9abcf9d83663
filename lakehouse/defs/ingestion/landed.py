"""The landing events of Airbyte's jobs that no event has told yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from lakehouse.clients.airbyte import AirbyteClient, Job, JobReport
from lakehouse.defs.ingestion.declaration import Connection
from lakehouse.defs.ingestion.report import stream_metadata
from lakehouse.defs.ingestion.told import ToldJobs
from lakehouse.settings import Settings

LANDING_JOBS = frozenset({"sync", "refresh"})
"""The types of jobs that land rows; the others clear what is landed."""


@dataclass(frozen=True)
class LandedJob:
    """A job, with the metadata of the event that is to be told of each stream."""

    job: Job
    report: JobReport
    streams: Mapping[str, dict[str, Any]]


class Landed:
    """What jobs of one connection landed, as far as it is not told."""

    def __init__(
        self, airbyte: AirbyteClient, settings: Settings, connection: Connection, told: ToldJobs
    ) -> None:
        self._airbyte = airbyte
        self._settings = settings
        self._connection = connection
        self._told = told

    def by(
        self, jobs: Sequence[Job], log: Mapping[str, Any], *, every_stream: bool = False
    ) -> Iterator[LandedJob]:
        """What each of the jobs landed, given oldest first; the last must be the connection's newest job.

        A job that succeeded tells of every stream, of those without rows too: they are in step with the source. Any
        other tells of the streams of which it landed rows: what a job committed stays when it fails.

        Args:
            log: where the source stands now, which is told with the newest job.
            every_stream: the newest job tells of every stream, whether there is something new or not.
        """
        for job, before in zip_longest(jobs, (job.started for job in jobs[1:])):
            if job.type in LANDING_JOBS:
                newest = before is None
                yield self._of(job, before, log if newest else {}, every_stream=every_stream and newest)

    def _of(
        self, job: Job, before: datetime | None, log: Mapping[str, Any], *, every_stream: bool
    ) -> LandedJob:
        report = self._airbyte.job_report(job.id)
        streams = {}
        for stream in self._connection.streams:
            told = self._told.of(stream.name, report)
            stats = report.streams.get(stream.name)
            new = (stats.rows if stats else 0) - (told.rows if told else 0)
            if every_stream or new > 0 or (told is None and report.status == "succeeded"):
                streams[stream.name] = stream_metadata(
                    report, self._connection.namespace, stream.name, self._settings,
                    log=log, told=told, before=before,
                )  # fmt: skip
        return LandedJob(job, report, streams)
