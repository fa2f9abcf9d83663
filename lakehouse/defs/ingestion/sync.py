"""One sync of one connection: started or adopted, polled to its end, cancelled with its run, reported.

Jobs are started, polled and cancelled by dagster-airbyte's own client; connections are found by name, and
what a job moved is read, through `clients.airbyte`, which keeps Airbyte's error texts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse.clients.airbyte import FINISHED, UNFINISHED, AirbyteClient, JobReport, id_of
from lakehouse.clients.airbyte_auth import PUBLIC
from lakehouse.errors import LakehouseError, PermanentError, ServiceRefusedError, TransientError
from lakehouse.settings_sections import AirbyteSettings

if TYPE_CHECKING:
    from dagster_airbyte.resources import AirbyteClient as JobClient

FIRST_POLL = 0.1
LOOK_BACK = timedelta(days=2)


@dataclass(frozen=True)
class SyncResult:
    report: JobReport
    seconds: float
    log: Mapping[str, Any]
    """Where a log-based source stands afterwards: `lsn` and `lag_bytes` of Postgres; empty for others."""
    adopted: bool
    """Whether the job had been started by somebody else, such as Airbyte's own schedule or a killed run."""


def sync(settings: AirbyteSettings, connection: str, log: Callable[[str], None]) -> SyncResult:
    """Run the connection of that name once and wait for the end.

    Raises:
        ServiceDownError: Airbyte does not answer.
        PermanentError: no such connection, or the job was cancelled.
        ServiceRefusedError, TransientError: the job failed; carries Airbyte's failure text. Permanent when
            Airbyte calls it a configuration error.
    """
    started = time.monotonic()
    with AirbyteClient(settings) as airbyte:
        found = airbyte.connection(connection)
        jobs = _job_client(settings, airbyte.workspace_id)
        try:
            job_id, adopted = _begin(airbyte, jobs, id_of("connections", found), log)
            status = _wait(jobs, job_id, settings.poll_seconds, adopted=adopted)
        except dg.Failure:
            airbyte.list("connections")  # says in one line that Airbyte is down, if it is
            raise
        report = airbyte.job_report(job_id)
        if status != "succeeded":
            raise failed(report, status, connection, settings)
        log_state = airbyte.log_state(id_of("connections", found))
        return SyncResult(report, time.monotonic() - started, log_state, adopted)


def _begin(
    airbyte: AirbyteClient, jobs: JobClient, connection_id: str, log: Callable[[str], None]
) -> tuple[int, bool]:
    since = datetime.now(UTC) - LOOK_BACK
    running = [job for job in jobs.get_jobs_for_connection(connection_id, since) if job.status in UNFINISHED]
    if running:
        newest = max(running, key=lambda job: job.id)
        log(f"Airbyte job {newest.id} of this connection is {newest.status} already: waiting for it")
        return newest.id, True
    try:
        job_id = int(jobs.start_sync_job(connection_id)["jobId"])
    except dg.Failure:
        job_id = airbyte.start_sync(connection_id)  # says why it is refused, which the other client does not
    log(f"Airbyte job {job_id} started")
    return job_id, False


def _wait(jobs: JobClient, job_id: int, poll_seconds: float, *, adopted: bool) -> str:
    status, pause = "pending", min(FIRST_POLL, poll_seconds)
    try:
        while True:
            time.sleep(pause)
            pause = min(pause * 2, poll_seconds)
            status = str(jobs.get_job_details(job_id)["status"])
            if status in FINISHED:
                return status
            if status not in UNFINISHED:
                known = ", ".join(sorted(UNFINISHED | FINISHED))
                raise TransientError(
                    f"Airbyte job {job_id} is in an unknown state {status!r}; known are {known}"
                )
    finally:
        # The run ends before the job: cancelled, or Airbyte is lost. A job of somebody else's is left alone.
        if status in UNFINISHED and not adopted:
            jobs.cancel_job(job_id)


def failed(report: JobReport, status: str, connection: str, settings: AirbyteSettings) -> LakehouseError:
    """The error that a job's failure is, with Airbyte's words."""
    where = f"Airbyte at {settings.url}, connection {connection}, job {report.job_id}"
    if status == "cancelled":
        return PermanentError("was cancelled", where=where)
    kind: type[LakehouseError] = ServiceRefusedError if report.permanent else TransientError
    return kind(f"sync failed: {report.failure or 'Airbyte gives no reason'}", where=where)


def _job_client(settings: AirbyteSettings, workspace_id: str) -> JobClient:
    from dagster_airbyte import AirbyteWorkspace

    by_client = settings.client_id is not None
    password, secret = settings.password, settings.client_secret
    return AirbyteWorkspace(
        rest_api_base_url=f"{settings.url}{PUBLIC}",
        configuration_api_base_url=f"{settings.url}/api/v1",
        workspace_id=workspace_id,
        client_id=settings.client_id,
        client_secret=secret.get_secret_value() if by_client and secret else None,
        username=settings.user if password and not by_client else None,
        password=password.get_secret_value() if password and not by_client else None,
        request_max_retries=12,  # with 0.25 s between them: outlives a restart by the supervisor
    ).get_client()
