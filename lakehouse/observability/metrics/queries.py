"""What Dremio ran, from its system table of jobs."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metrics.metric import Metric
from lakehouse.observability.metrics.source import Source
from lakehouse.observability.metrics.totals import News, Observation, totals
from lakehouse.settings import Settings

DURATION = Metric(
    "dremio_query_duration_seconds",
    "histogram",
    "From a statement's submission to its end. `statement` is `query` for what somebody waits for, else `other`;"
    " `accelerated` tells whether a reflection was used.",
    ("statement", "status", "accelerated"),
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 600),
)
_WAITED_FOR = ("SELECT", "WITH", "VALUES")
_SECONDS = 10.0
_SETTLED = timedelta(seconds=3)
"""A job that ended is told of no later than this."""
# Columns of Dremio's system table: https://docs.dremio.com/current/reference/sql/system-tables/jobs_recent/
# What asks for them is not counted. Over REST each question would leave a result for somebody to fetch.
_JOBS = """
SELECT status, accelerated, submitted_ts, final_state_ts, SUBSTR("query", 1, 40) AS head, CURRENT_TIMESTAMP AS now_ts
FROM sys.jobs_recent WHERE final_state_ts >= TIMESTAMP '{since}' AND "query" NOT LIKE '%sys.jobs_recent%'
"""
_EVER = "1970-01-01 00:00:00.000"


def queries(settings: Settings, database: MetadataDatabase) -> Source:
    """Statements that have ended."""

    def follow(cursor: Any) -> News:
        """Those that ended since the cursor, but for the last moments by Dremio's clock: each is told of once."""
        from lakehouse.clients.flight import FlightSql

        with closing(FlightSql(settings.dremio, timeout=_SECONDS)) as dremio:
            jobs = dremio.query(_JOBS.format(since=cursor or _EVER)).to_pylist()
        if not jobs:
            return News(cursor, ())
        until = _moment(jobs[0]["now_ts"]) - _SETTLED
        ended = [job for job in jobs if _moment(job["final_state_ts"]) < until]
        if not ended:
            return News(cursor, ())
        return News(
            f"{until:%Y-%m-%d %H:%M:%S}.{until.microsecond // 1000:03}", [_observed(job) for job in ended]
        )

    return Source(
        "dremio", (DURATION,), lambda: totals(database, "dremio", (DURATION,), follow), timedelta(seconds=30)
    )


def _observed(job: dict[str, Any]) -> Observation:
    waited_for = job["head"].lstrip(" (\n\t").upper().startswith(_WAITED_FOR)
    labels = (
        "query" if waited_for else "other",
        str(job["status"]).lower(),
        str(bool(job["accelerated"])).lower(),
    )
    seconds = (_moment(job["final_state_ts"]) - _moment(job["submitted_ts"])).total_seconds()
    return Observation(DURATION, labels, max(0.0, seconds))


def _moment(at: datetime) -> datetime:
    """A time of Dremio's, which is UTC, in whole milliseconds: finer than that the cursor cannot ask."""
    return at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
