"""Syncs that Airbyte started by itself, told as landing events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from lakehouse.defs.ingestion.declaration import Connection
from lakehouse.defs.resources import LakehouseResource

if TYPE_CHECKING:
    from lakehouse.clients.airbyte import Job
    from lakehouse.settings import Settings

SECONDS = 30
_MOST_JOBS = 25
"""Told in one tick; the next one goes on."""
_AT_WORK = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
_NEVER = datetime.min.replace(tzinfo=UTC)
_EVERY_ASSET = "__ASSET_JOB"
"""Dagster's name for the job of all assets."""
_Event = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation


def sync_job_name(connection: Connection) -> str:
    """The job that syncs a connection."""
    return f"sync_{connection.name}"


def landed_sensor(connection: Connection, streams: Mapping[str, dg.AssetKey]) -> dg.SensorDefinition:
    """Tells what jobs landed that no Dagster run started: an event a stream and job, as landing assets tell it.

    It runs where the connection is declared with a schedule of its own; where Dagster starts the syncs it can be
    turned on for those that people start in Airbyte. A tick fails while Airbyte does not answer. A job is told once,
    for every event names its job and is looked up before another is told; only a run that begins to sync while a tick
    writes its events may tell of the same job.
    """
    scheduled = connection.schedule != "manual"

    @dg.sensor(
        name=f"airbyte_{connection.name}_landed",
        description=f"Tells what syncs of connection {connection.name} landed that Airbyte started by itself.",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if scheduled else dg.DefaultSensorStatus.STOPPED,
    )
    def landed(
        context: dg.SensorEvaluationContext, lakehouse: LakehouseResource
    ) -> dg.SensorResult | dg.SkipReason:
        return _look(context, lakehouse.settings, connection, streams)

    return landed


def _look(
    context: dg.SensorEvaluationContext,
    settings: Settings,
    connection: Connection,
    streams: Mapping[str, dg.AssetKey],
) -> dg.SensorResult | dg.SkipReason:
    """One tick. Events are written before the cursor: a tick that dies between is repeated, and tells nothing twice.

    Raises:
        ServiceDownError: Airbyte does not answer.
        PermanentError: it has no such connection.
    """
    from lakehouse.clients.airbyte import AirbyteClient, id_of
    from lakehouse.defs.ingestion.history import record_syncs
    from lakehouse.defs.ingestion.landed import Landed
    from lakehouse.defs.ingestion.last_sync import LastSyncChecks
    from lakehouse.defs.ingestion.told import ToldJobs

    cursor = _Cursor.read(context.cursor)
    with AirbyteClient(settings.airbyte) as airbyte:
        id_ = id_of("connections", airbyte.connection(connection.name))
        listed = airbyte.jobs(id_, cursor.started if cursor else None)
        # Asked after the list: the run of a job that is listed as finished is either still here, or has told.
        if run := run_at_work(context.instance, connection, set(streams.values())):
            return dg.SkipReason(f"run {run} syncs connection {connection.name} and tells of it itself")
        new = [job for job in listed if cursor is None or _Cursor.of(job) > cursor]
        told = ToldJobs(context.instance, streams if new else {}, cursor.started if cursor else None)
        cursor = cursor or _Cursor(told.newest_start or _NEVER, 0)
        jobs = _to_tell([job for job in new if _Cursor.of(job) > cursor], connection)
        log = airbyte.log_state(id_) if jobs else {}
        checks = LastSyncChecks(context.instance, streams.values() if jobs else ())
        events: list[_Event] = []
        for found in islice(Landed(airbyte, settings, connection, told).by(jobs, log), _MOST_JOBS):
            events += [
                dg.AssetMaterialization(streams[stream], metadata=metadata)
                for stream, metadata in found.streams.items()
            ]
            if found.job.finished:
                events += checks.after(found.report)
                cursor = _Cursor.of(found.job)
    if jobs:
        record_syncs(settings, connection.name, context.log.warning)
    # A tick that asks for no run counts as skipped; the reason is what people see of it.
    what = f"{len(events)} events of" if events else "nothing new from"
    reason = f"{what} connection {connection.name} of Airbyte at {settings.airbyte.url}"
    return dg.SensorResult(asset_events=events, cursor=cursor.text, skip_reason=reason)


def _to_tell(jobs: list[Job], connection: Connection) -> list[Job]:
    """The finished jobs, and of a connection that syncs all the time what the one that runs has landed so far."""
    if connection.schedule == "continuous":
        return jobs
    return list(takewhile(lambda job: job.finished, jobs))


def run_at_work(instance: dg.DagsterInstance, connection: Connection, keys: set[dg.AssetKey]) -> str | None:
    """The id of a run that has not ended and syncs the connection."""
    for run in instance.get_runs(RunsFilter(statuses=_AT_WORK)):
        whole = run.job_name in (sync_job_name(connection), _EVERY_ASSET)
        if keys & run.asset_selection if run.asset_selection is not None else whole:
            return run.run_id
    return None


class _Cursor(NamedTuple):
    """The newest job that all is told of; its number alone says nothing in an Airbyte that was made anew."""

    started: datetime
    job: int

    @classmethod
    def of(cls, job: Job) -> _Cursor:
        return cls(job.started, job.id)

    @classmethod
    def read(cls, text: str | None) -> _Cursor | None:
        kept = json.loads(text) if text else None
        return cls(datetime.fromisoformat(kept["started"]), kept["job"]) if kept else None

    @property
    def text(self) -> str:
        return json.dumps({"started": self.started.isoformat(), "job": self.job})
