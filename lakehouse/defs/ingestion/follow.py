"""A connection that Airbyte syncs all the time: what it has landed by now, without a wait for a job's end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from lakehouse.clients.airbyte import AirbyteClient, Job, id_of
from lakehouse.defs.ingestion.declaration import CONTINUOUS, Connection
from lakehouse.defs.ingestion.landed import LANDING_JOBS, Landed, LandedJob
from lakehouse.defs.ingestion.sync import failed
from lakehouse.defs.ingestion.told import ToldJobs
from lakehouse.errors import PermanentError, TransientError
from lakehouse.settings import Settings

START_SECONDS = 15
"""How long Airbyte may take to start a connection's first job, or the one after a failed one."""
_PLATFORM = "airbyte_platform"
"""Origin of failures that are not the source's or the destination's, such as a server that was stopped."""
BEGUN_SECONDS = 6
"""A job that runs this long has read all that was committed before it began."""
QUIET_SECONDS = 2
"""All that was committed before is landed when for so long nothing more has been: many times Airbyte's usual lag."""
MOST_SECONDS = 10
"""Of waiting for quiet, beside traffic that never rests."""
SETTLED_SECONDS = 30
"""A job that follows a failed one and runs this long, or lands rows before that, does not fail as that one did."""


def follow(
    settings: Settings, connection: Connection, told: ToldJobs, log: Callable[[str], None]
) -> list[LandedJob]:
    """What the connection's jobs landed since the last event, oldest first; the newest tells of every stream.

    No job is started, and a job that runs is not waited for: with the schedule `continuous` it reads until its time
    is over. What is promised: every stream has been read in full once, the newest job that ended did so well, and all
    that Airbyte has committed to landing is told. Waited for are a stream's first read, a job that has just begun, a
    job that follows a failed one until it works, and two seconds in which nothing lands; beside traffic that never
    rests, ten. A change that the source committed less than Airbyte's lag ago may be told by the next event.

    Raises:
        ServiceDownError: Airbyte does not answer.
        PermanentError: no such connection, or its live schedule is another one, or its newest job was cancelled.
        ServiceRefusedError, TransientError: the newest job failed; carries Airbyte's failure text.
    """
    with AirbyteClient(settings.airbyte) as airbyte:
        live = airbyte.connection(connection.name)
        _require_continuous(live, connection, settings)
        id_ = id_of("connections", live)
        _settled(airbyte, id_, connection, told, log)
        _wait_until_quiet(airbyte, id_, told)
        jobs = _settled(airbyte, id_, connection, told, log)
        landed = Landed(airbyte, settings, connection, told)
        return list(landed.by(jobs, airbyte.log_state(id_), every_stream=True))


def _require_continuous(live: dict[str, Any], connection: Connection, settings: Settings) -> None:
    schedule = live.get("schedule") or {}
    where = f"Airbyte at {settings.airbyte.url}, connection {connection.name}"
    if not str(schedule.get("cronExpression", "")).startswith(CONTINUOUS):
        kind = schedule.get("cronExpression") or schedule.get("scheduleType") or "unknown"
        remedy = "`lakehouse connections apply` makes it so"
        raise PermanentError(f"schedule is {kind}, declared is continuous", where=where, remedy=remedy)
    if live.get("status") != "active":
        raise PermanentError(f"it is {live.get('status')}", where=where, remedy="enable it in Airbyte")


def _settled(
    airbyte: AirbyteClient, id_: str, connection: Connection, told: ToldJobs, log: Callable[[str], None]
) -> Sequence[Job]:
    """The jobs since the newest that is told, as soon as the newest of all is known to work."""
    started, said = time.monotonic(), ""
    while True:
        listed = airbyte.jobs(id_, told.newest_start)
        jobs = [job for job in listed if job.type in LANDING_JOBS]
        waited = time.monotonic() - started
        why = _why_wait(airbyte, id_, connection, jobs, told, waited=waited)
        if why is None:
            return jobs
        if not jobs and waited > START_SECONDS:
            raise TransientError(
                f"has started no job in {START_SECONDS} seconds, though the schedule is continuous",
                where=f"Airbyte at {airbyte.settings.url}, connection {connection.name}",
            )
        if why != said:
            log(why)
            said = why
        time.sleep(airbyte.settings.poll_seconds)


def _wait_until_quiet(airbyte: AirbyteClient, id_: str, told: ToldJobs) -> None:
    """Until what was committed before is landed, as far as that can be seen."""
    begun = quiet_since = time.monotonic()
    rows = -1
    while time.monotonic() - quiet_since < QUIET_SECONDS and time.monotonic() - begun < MOST_SECONDS:
        newest = airbyte.jobs(id_, told.newest_start)[-1]
        landed = sum(stream.rows for stream in airbyte.job_report(newest.id).streams.values())
        young = (datetime.now(UTC) - newest.started).total_seconds() < BEGUN_SECONDS
        if landed != rows or (young and not newest.finished):
            rows, quiet_since = landed, time.monotonic()
        time.sleep(airbyte.settings.poll_seconds)


def _why_wait(
    airbyte: AirbyteClient,
    id_: str,
    connection: Connection,
    jobs: Sequence[Job],
    told: ToldJobs,
    *,
    waited: float,
) -> str | None:
    """What is waited for; None when the newest job works or has ended well."""
    if not jobs:
        return "Airbyte has started no job of this connection yet"
    newest = jobs[-1]
    if newest.finished or newest.status == "incomplete":
        if newest.status == "succeeded":
            return None
        if waited < START_SECONDS:
            return f"Airbyte job {newest.id} failed: the next one has not started"
        raise failed(airbyte.job_report(newest.id), newest.status, connection.name, airbyte.settings)
    missing = _never_read(airbyte, id_, connection, jobs, told)
    if missing:
        return f"Airbyte job {newest.id} reads for the first time: {', '.join(missing)}"
    if len(jobs) > 1 and jobs[-2].status in ("failed", "error"):
        age = (datetime.now(UTC) - newest.started).total_seconds()
        rows = sum(stream.rows for stream in airbyte.job_report(newest.id).streams.values())
        failure = airbyte.job_report(jobs[-2].id).failure or ""
        if not rows and age < SETTLED_SECONDS and not failure.startswith(_PLATFORM):
            return f"Airbyte job {jobs[-2].id} failed: job {newest.id} has to show that it works"
    return None


def _never_read(
    airbyte: AirbyteClient, id_: str, connection: Connection, jobs: Sequence[Job], told: ToldJobs
) -> list[str]:
    """The streams whose first read is not known to be complete while the newest job runs."""
    read = airbyte.log_streams(id_)
    if read is not None:
        logged = [s.name for s in connection.streams if s.sync_mode.startswith("incremental")]
        return [name for name in logged if name not in read]
    if told.newest_start or any(job.status == "succeeded" for job in jobs):
        return []
    return [stream.name for stream in connection.streams]
