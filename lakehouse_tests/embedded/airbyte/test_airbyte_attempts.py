"""How jobs are tuned and tried again, without a server."""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lakehouse.embedded.airbyte.attempts import Retries, attempts_of, begin_attempt, next_job, settle
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.store import Store
from lakehouse.embedded.airbyte.timetable import _resumes_at
from lakehouse.embedded.airbyte.tuning import Tuning


def test_a_worker_is_told_how_the_server_is_tuned() -> None:
    parser = argparse.ArgumentParser()
    Tuning.add_arguments(parser)
    tuning = Tuning(threads=3, batch_size=7, buffer_size_mb=11)
    assert Tuning.of_options(parser.parse_args(tuning.arguments())) == tuning
    assert Tuning.of_options(parser.parse_args([])) == Tuning()
    with pytest.raises(ValueError, match="threads must be at least 1, not 0"):
        Tuning(threads=0)


def test_the_pause_doubles_up_to_five_minutes() -> None:
    pauses = [Retries(first_pause_seconds=5).pause_ms(attempt) // 1000 for attempt in range(8)]
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


def test_a_connection_that_goes_on_failing_is_left_alone_for_longer() -> None:
    def pause(*statuses: str) -> int:
        jobs: list[dict[str, Any]] = [{"status": status, "ended_at": 1_000_000} for status in statuses]
        return max(0, _resumes_at(jobs) - 1_000_000) // 1000

    assert pause() == pause("succeeded", "failed") == pause("cancelled", "failed") == 0
    assert [pause(*["failed"] * n, "succeeded") for n in (1, 2, 3, 10)] == [10, 20, 40, 900]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.create_schema()
    return store


def test_attempts_are_counted_and_each_keeps_its_figures(store: Store) -> None:
    now = epoch_ms()
    job = {
        "connection_id": "c",
        "workspace_id": "w",
        "destination_id": "d",
        "type": "sync",
        "status": "pending",
    }
    job_id = store.insert("jobs", {**job, "created_at": now, "updated_at": now})
    retries = Retries(most=1, first_pause_seconds=0)
    for attempt in range(2):
        assert next_job(store, continuous=False) is not None
        with store.transaction():
            begin_attempt(store, job_id)
        place = {"job_id": job_id, "namespace": "", "name": "s"}
        store.insert("job_streams", place | {"records_committed": attempt + 1})
        file = {"destination_id": "d", "key": str(attempt), "rows": 1, "bytes": 1, "committed": 1}
        store.insert("landing_files", {"job_id": job_id, "namespace": "", "stream": "s", **file})
        settle(store, job_id, {"failureType": "transient_error"}, retries)
    ended = store.job(job_id)
    assert ended is not None
    assert (ended["status"], next_job(store, continuous=False)) == ("failed", None)
    shown = [
        (a.number, a.status, a.streams[0]["records_committed"], a.streams[0]["files"])
        for a in attempts_of(store, ended)
    ]
    assert shown == [(0, "failed", 1, 1), (1, "failed", 2, 1)]


def test_a_home_of_an_earlier_version_gets_the_new_rule_of_one_open_job(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create_schema()
    store.execute("DROP INDEX one_open_job")
    store.execute(
        "CREATE UNIQUE INDEX one_active_job ON jobs(connection_id) WHERE status IN ('pending', 'running')"
    )
    store.create_schema()
    names = [row["name"] for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'index'")]
    assert "one_open_job" in names
    assert "one_active_job" not in names
    job = {
        "connection_id": "c",
        "workspace_id": "w",
        "destination_id": "d",
        "type": "sync",
        "created_at": 1,
        "updated_at": 1,
    }
    store.insert("jobs", {**job, "status": "incomplete"})
    with pytest.raises(sqlite3.IntegrityError):
        store.insert("jobs", {**job, "status": "pending"})
