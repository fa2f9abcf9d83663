"""Dagster's runs and daemons."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus, RunRecord, RunsFilter

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metrics.metric import Metric
from lakehouse.observability.metrics.source import Reading, Source
from lakehouse.observability.metrics.totals import News, Observation, totals

RUNS = Metric("dagster_runs_total", "counter", "Runs that have ended, by job and how.", ("job", "status"))
DURATION = Metric(
    "dagster_run_duration_seconds",
    "histogram",
    "From the start of a run to its end.",
    ("job",),
    (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200),
)
UNFINISHED = Metric("dagster_runs_unfinished", "gauge", "Runs that have not ended, by status.", ("status",))
HEALTHY = Metric(
    "dagster_daemon_healthy",
    "gauge",
    "1 when a part of Dagster's daemon lives and reports no error.",
    ("daemon",),
)
HEARTBEAT = Metric(
    "dagster_daemon_heartbeat_age_seconds",
    "gauge",
    "Since a part of Dagster's daemon gave its last sign of life.",
    ("daemon",),
)
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_UNFINISHED = (
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)
_PAGE = 500
_SETTLED = timedelta(seconds=3)
"""A run that ended is in the storage no later than this."""


def runs(instance: dg.DagsterInstance, database: MetadataDatabase) -> Source:
    """Runs that have ended."""

    def follow(cursor: Any) -> News:
        """Those that ended since the cursor, but for the last moments; a later change of a run counts nothing again."""
        since = datetime.fromisoformat(cursor) if cursor else datetime.fromtimestamp(0, UTC)
        until = datetime.now(UTC) - _SETTLED
        observed: list[Observation] = []
        for record in _changed(instance, since):
            ended = record.end_time
            if ended is None or not since.timestamp() <= ended < until.timestamp():
                continue
            run = record.dagster_run
            observed.append(Observation(RUNS, (run.job_name, run.status.value.lower())))
            if record.start_time:
                observed.append(Observation(DURATION, (run.job_name,), max(0.0, ended - record.start_time)))
        return News(until.isoformat() if observed else cursor, observed)

    metrics = (RUNS, DURATION)
    return Source("runs", metrics, lambda: totals(database, "runs", metrics, follow), timedelta(seconds=5))


def _changed(instance: dg.DagsterInstance, since: datetime) -> Iterator[RunRecord]:
    """Runs that have ended and were written after that time, each once."""
    seen: set[str] = set()
    while True:
        page = instance.get_run_records(
            RunsFilter(statuses=_ENDED, updated_after=since),
            limit=_PAGE,
            order_by="update_timestamp",
            ascending=True,
        )
        new = [record for record in page if record.dagster_run.run_id not in seen]
        yield from new
        seen |= {record.dagster_run.run_id for record in new}
        if len(page) < _PAGE or not new:
            return
        since = page[-1].update_timestamp.replace(tzinfo=UTC) - timedelta(microseconds=1)


def daemons(instance: dg.DagsterInstance) -> Source:
    """What Dagster does now."""

    def read() -> Reading:
        now = datetime.now(UTC).timestamp()
        statuses = {name: one for name, one in instance.get_daemon_statuses().items() if one.required}
        beats = {name: one.last_heartbeat for name, one in statuses.items()}
        return {
            UNFINISHED: [
                ((status.value.lower(),), instance.get_runs_count(RunsFilter(statuses=[status])))
                for status in _UNFINISHED
            ],
            HEALTHY: [
                ((name,), float(bool(one.healthy and (beat := beats[name]) and not beat.errors)))
                for name, one in statuses.items()
            ],
            HEARTBEAT: [
                ((name,), max(0.0, now - beat.timestamp) if beat else float("inf"))
                for name, beat in beats.items()
            ],
        }

    return Source("dagster", (UNFINISHED, HEALTHY, HEARTBEAT), read, timedelta(seconds=5))
