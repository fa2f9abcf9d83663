"""A job is tried several times: an attempt that failed for a passing reason is followed by another one.

The row of a job is its latest attempt; those before it are kept in `failed_attempts`. While a job waits for its next
attempt it is `incomplete`, as Airbyte has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.schedules import CONTINUOUS
from lakehouse.embedded.airbyte.store import Row, Store

OPEN = ("pending", "running", "incomplete")
_PASSING = ("transient_error", "system_error")  # a config_error stays until somebody changes something
_LONGEST_PAUSE_SECONDS = 300
_STREAMS = """
SELECT s.*, (SELECT count(*) FROM landing_files f WHERE f.job_id = s.job_id AND f.namespace = s.namespace
             AND f.stream = s.name AND f.committed = 1) AS files
FROM job_streams s WHERE s.job_id = ? ORDER BY s.rowid
"""


_LATEST = {"succeeded": "succeeded", "failed": "failed", "cancelled": "failed"}


@dataclass(frozen=True)
class Attempt:
    """One attempt of a job, counted from 0; `ended_at` and `failure` are None while it runs."""

    number: int
    status: str
    started_at: int
    updated_at: int
    ended_at: int | None
    failure: dict[str, Any] | None
    streams: list[Row]


@dataclass(frozen=True)
class Retries:
    """How often a job is tried again; the pause doubles after each attempt."""

    most: int = 3
    first_pause_seconds: float = 5

    def pause_ms(self, attempt: int) -> int:
        """How long to wait after the attempt of this number, counted from 0."""
        return int(min(self.first_pause_seconds * 2**attempt, _LONGEST_PAUSE_SECONDS) * 1000)


def report_failure(store: Store, job_id: int, failure: Mapping[str, Any]) -> None:
    """Note why the running attempt failed; the server then decides whether another one follows."""
    sql = "UPDATE jobs SET failure = ? WHERE id = ? AND status = 'running'"
    store.execute(sql, json.dumps(failure), job_id)


def settle(store: Store, job_id: int, failure: Mapping[str, Any], retries: Retries) -> None:
    """End the running attempt: the job waits for another one, or has failed. One that has ended stays so."""
    job = store.job(job_id)
    if job is None or job["status"] != "running":
        return
    number = len(failed_attempts(store, job_id))
    if failure["failureType"] not in _PASSING or number >= retries.most:
        store.end_job(job_id, "failed", failure)
        return
    now = epoch_ms()
    with store.transaction():
        attempt = {
            "job_id": job_id,
            "number": number,
            "started_at": job["started_at"],
            "ended_at": now,
            "retry_at": now + retries.pause_ms(number),
            "failure": failure,
            "streams": json.dumps(attempt_streams(store, job_id)),
        }
        store.insert("failed_attempts", attempt)
        store.execute(
            "UPDATE jobs SET status = 'incomplete', failure = NULL, updated_at = ? WHERE id = ?", now, job_id
        )


def next_job(store: Store, *, continuous: bool) -> Row | None:
    """The oldest job that waits for its first attempt, or whose pause is over.

    Looks among the jobs of connections that sync all the time, or else among all others.
    """
    return store.row(
        "SELECT * FROM jobs WHERE (status = 'pending' OR (status = 'incomplete' AND NOT EXISTS ("
        "SELECT 1 FROM failed_attempts a WHERE a.job_id = jobs.id AND a.retry_at > ?)))"
        " AND EXISTS (SELECT 1 FROM schedules s WHERE s.connection_id = jobs.connection_id"
        " AND s.cron_expression = ?) = ? ORDER BY id LIMIT 1",
        epoch_ms(), CONTINUOUS, continuous,
    )  # fmt: skip


def begin_attempt(store: Store, job_id: int) -> None:
    """Make a job `running`; its files take their names from this moment. Call it inside a transaction."""
    now = epoch_ms()
    store.execute("DELETE FROM job_streams WHERE job_id = ?", job_id)
    store.execute(
        "UPDATE jobs SET status = 'running', started_at = ?, updated_at = ?, files_discarded = 0 WHERE id = ?",
        now, now, job_id,
    )  # fmt: skip


def is_finished(store: Store, job_id: int, stream: ConfiguredStream) -> bool:
    """Whether an earlier attempt of the job has read the stream to its end."""
    sql = "SELECT 1 FROM finished_streams WHERE job_id = ? AND namespace = ? AND name = ?"
    return store.row(sql, job_id, stream.namespace or "", stream.name) is not None


def attempts_of(store: Store, job: Row) -> list[Attempt]:
    """The attempts of a job, first to last; the latest is the job's own row, unless it waits for another."""
    failed = failed_attempts(store, job["id"])
    attempts = [
        Attempt(
            a["number"], "failed", a["started_at"], a["ended_at"], a["ended_at"], a["failure"], a["streams"]
        )
        for a in failed
    ]
    if job["started_at"] is not None and job["status"] != "incomplete":
        status, streams = _LATEST.get(job["status"], "running"), attempt_streams(store, job["id"])
        attempts.append(
            Attempt(
                len(failed),
                status,
                job["started_at"],
                job["updated_at"],
                job["ended_at"],
                job["failure"],
                streams,
            )
        )
    return attempts


def failed_attempts(store: Store, job_id: int) -> list[Row]:
    """The attempts that another one follows, first to last; `streams` holds the figures of each."""
    attempts = store.rows("SELECT * FROM failed_attempts WHERE job_id = ? ORDER BY number", job_id)
    return [attempt | {"streams": json.loads(attempt["streams"])} for attempt in attempts]


def attempt_streams(store: Store, job_id: int) -> list[Row]:
    """Figures of the latest attempt's streams, with how many files each has committed."""
    before: dict[tuple[str, str], int] = {}
    for attempt in failed_attempts(store, job_id):
        for stream in attempt["streams"]:
            place = (stream["namespace"], stream["name"])
            before[place] = before.get(place, 0) + stream["files"]
    streams = store.rows(_STREAMS, job_id)
    return [row | {"files": row["files"] - before.get((row["namespace"], row["name"]), 0)} for row in streams]
