"""Airbyte's jobs: what each logged, and a record of its outcome with rows and bytes, through Airbyte's API.

Kept are the moment up to which jobs were looked for, and of each job near it how many lines were read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse.clients.airbyte import FINISHED, AirbyteClient, UpdatedJob
from lakehouse.observability.logs.record import LogRecord, level_of, moment, record_id, shortened
from lakehouse.observability.logs.spool import Collected, Spool

_KEY = "airbyte"
_OVERLAP = timedelta(seconds=30)
"""Jobs are met again so long after they changed last: lines may come after the status."""
_LINE = re.compile(r"^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*) +(?:\S+ > )?([A-Z]+)?:? *(.*)", re.DOTALL)
_OUTCOME = 2**40
"""Number of the record of a job's end, after those of its lines."""


class AirbyteJobs:
    """Records of the service `airbyte`, with the job's number and its connection."""

    name = "airbyte"
    every_seconds = 5.0

    def __init__(self, client: AirbyteClient, spool: Spool, *, oldest_days: int) -> None:
        """Jobs that were last updated longer ago than `oldest_days` at the first look are left out."""
        self._client = client
        begin = datetime.now(UTC) - timedelta(days=oldest_days)
        self._state: dict[str, Any] = {
            "seen": begin.isoformat(),
            "jobs": {},
            **spool.positions(_KEY).get(_KEY, {}),
        }

    def look(self) -> Iterator[Collected]:
        """What is new of the jobs that changed; each change of a job is one step."""
        seen = datetime.fromisoformat(self._state["seen"])
        for job in self._client.updated_jobs(seen - _OVERLAP):
            seen = max(seen, job.updated)
            stamp = f"{job.status} {job.updated.isoformat()}"
            known = self._state["jobs"].get(str(job.id), {"lines": 0, "stamp": ""})
            # A job at work writes lines while the moment of its last change stays.
            if known["stamp"] != stamp or job.status not in FINISHED:
                yield from self._of_job(job, known, stamp)
        near = {
            id_: of for id_, of in self._state["jobs"].items()
            if datetime.fromisoformat(of["stamp"].split()[1]) >= seen - 2 * _OVERLAP
            or of["stamp"].split()[0] not in FINISHED
        }  # fmt: skip
        if seen.isoformat() != self._state["seen"] or len(near) != len(self._state["jobs"]):
            yield from self._keep([], {"seen": seen.isoformat(), "jobs": near})

    def _of_job(self, job: UpdatedJob, known: dict[str, Any], stamp: str) -> Iterator[Collected]:
        lines = self._client.job_log(job.id)
        fresh = lines[known["lines"] :]
        at = job.updated
        records: list[LogRecord] = []
        for number, text in enumerate(fresh, start=known["lines"]):
            record = self._line(job, number, text, at)
            at = record.timestamp
            if record.message.strip():
                records.append(record)
        if job.status in FINISHED and not known["stamp"].startswith(job.status):
            records.append(self._outcome(job))
        if not records and known["stamp"] == stamp:
            return
        after = {"lines": known["lines"] + len(fresh), "stamp": stamp}
        jobs = {**self._state["jobs"], str(job.id): after}
        yield from self._keep(records, {**self._state, "jobs": jobs})

    def _line(self, job: UpdatedJob, number: int, text: str, before: datetime) -> LogRecord:
        found = _LINE.match(text)
        return LogRecord(
            id=record_id(self._source(job), number),
            timestamp=moment(found[1] if found else None, before),
            level=level_of(found[2] or "") if found else "INFO",
            service="airbyte",
            message=shortened(found[3] if found else text),
            job_id=str(job.id),
            connection_id=job.connection_id,
        )

    def _outcome(self, job: UpdatedJob) -> LogRecord:
        well = job.status == "succeeded"
        figures = f": {job.rows:,} records, {job.bytes or 0:,} bytes" if job.rows is not None else ""
        return LogRecord(
            id=record_id(self._source(job), _OUTCOME),
            timestamp=moment(job.updated, job.updated),
            level="INFO" if well else "WARNING" if job.status == "cancelled" else "ERROR",
            service="airbyte",
            message=f"{job.type} job {job.id} {job.status}{figures}",
            job_id=str(job.id),
            connection_id=job.connection_id,
            records_synced=job.rows,
            bytes_synced=job.bytes,
        )

    def _source(self, job: UpdatedJob) -> str:
        return f"airbyte {self._client.workspace_id} job {job.id}"

    def _keep(self, records: list[LogRecord], state: dict[str, Any]) -> Iterator[Collected]:
        yield Collected(records, {_KEY: state})
        self._state = state
