"""Jobs of the Airbyte-compatible server: further attempts, refreshes and clears, and the states they leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakehouse_tests.embedded.airbyte.fixtures import (
    AirbyteServer,
    Connection,
    Database,
    airbyte,
    airbyte_of_its_own,
    database,
    eventually,
    postgres_port,
    unique,
)

__all__ = ["airbyte", "airbyte_of_its_own", "database", "postgres_port"]
pytestmark = pytest.mark.slow
MakeServer = Callable[..., AirbyteServer]


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirbyteServer]:
    """A server that tries a job twice more, soon."""
    folder = tmp_path_factory.mktemp("patient")
    options = {"retries": {"most": 2, "first_pause_seconds": 0.3}}
    server = AirbyteServer(folder / "home", folder / "lake", options)
    yield server
    server.stop()


def info(connection: Connection, job: dict[str, Any]) -> dict[str, Any]:
    return connection.server.call("POST", f"{connection.server.config}/jobs/get", json={"id": job["jobId"]})


def jobs_of(connection: Connection) -> list[dict[str, Any]]:
    address = f"{connection.server.public}/jobs?connectionId={connection.id}&orderBy=createdAt|ASC&limit=100"
    return connection.server.call("GET", address)["data"]


def flaky(server: AirbyteServer, tmp_path: Path, failures: int, **more: Any) -> Connection:
    counter = str(tmp_path / unique("counter"))
    configuration = {
        "mode": "fails_at_first",
        "failures": failures,
        "complete": 0,
        "counter": counter,
        **more,
    }
    return server.connect(configuration, "fake", None)


class TestAttempts:
    def test_a_passing_failure_is_tried_again_in_the_same_job(
        self, patient: AirbyteServer, tmp_path: Path
    ) -> None:
        connection = flaky(patient, tmp_path, 2)
        job, seen = connection.start(), set()
        while job["status"] not in ("succeeded", "failed"):
            seen.add(job["status"])
            time.sleep(0.05)
            job = patient.call("GET", f"{patient.public}/jobs/{job['jobId']}")
        assert job["status"] == "succeeded"
        assert {"running", "incomplete"} <= seen <= {"pending", "running", "incomplete"}
        attempts = [one["attempt"] for one in info(connection, job)["attempts"]]
        assert [(a["id"], a["status"]) for a in attempts] == [(0, "failed"), (1, "failed"), (2, "succeeded")]
        reasons = [a["failureSummary"]["failures"][0]["externalMessage"] for a in attempts[:2]]
        assert reasons == ["connector exited with code 1: not yet"] * 2
        body = {"jobId": job["jobId"], "attemptNumber": 1}
        shown = patient.call("POST", f"{patient.config}/attempt/get_for_job", json=body)
        assert shown["attempt"] == attempts[1]
        patient.call("POST", f"{patient.config}/attempt/get_for_job", 404, json={**body, "attemptNumber": 3})

    def test_it_fails_when_it_was_tried_often_enough(self, patient: AirbyteServer, tmp_path: Path) -> None:
        connection = flaky(patient, tmp_path, 9)
        job = connection.wait(connection.start())
        assert job["status"] == "failed"
        assert len(info(connection, job)["attempts"]) == 3

    def test_a_wrong_configuration_is_not_tried_again(self, patient: AirbyteServer) -> None:
        connection = patient.connect({"mode": "trace"}, "fake", None)
        job = connection.wait(connection.start())
        assert (job["status"], len(info(connection, job)["attempts"])) == ("failed", 1)

    def test_what_an_earlier_attempt_has_read_in_full_is_not_read_again(
        self, patient: AirbyteServer, tmp_path: Path
    ) -> None:
        connection = flaky(patient, tmp_path, 1, complete=1, streams=["things", "others"])
        job = connection.sync()
        assert job["rowsSynced"] == 2
        assert (connection.table("things").num_rows, connection.table("others").num_rows) == (1, 1)
        read = [
            [stream["streamName"] for stream in one["attempt"]["streamStats"]]
            for one in info(connection, job)["attempts"]
        ]
        assert read == [["things", "others"], ["others"]]

    def test_a_waiting_job_can_be_cancelled_and_blocks_another(
        self, airbyte_of_its_own: MakeServer, tmp_path: Path
    ) -> None:
        server = airbyte_of_its_own(retries={"most": 1, "first_pause_seconds": 60})
        connection = flaky(server, tmp_path, 1)
        job = connection.start()
        eventually(lambda: jobs_of(connection)[0]["status"] == "incomplete")
        connection.start(409)
        cancelled = server.call("DELETE", f"{server.public}/jobs/{job['jobId']}")
        assert cancelled["status"] == "cancelled"

    def test_a_killed_server_goes_on_with_the_job(
        self, airbyte_of_its_own: MakeServer, tmp_path: Path
    ) -> None:
        server = airbyte_of_its_own(retries={"most": 1, "first_pause_seconds": 0})
        connection = flaky(server, tmp_path, 1, complete=1, hang=60, streams=["things", "others"])
        job = connection.start()
        eventually(lambda: connection.files("things") != [])
        server.kill()
        server.start()
        job = connection.wait(job)
        assert (job["status"], job["rowsSynced"]) == ("succeeded", 2)
        assert (connection.table("things").num_rows, connection.table("others").num_rows) == (1, 1)


def incremental(server: AirbyteServer, database: Database) -> Connection:
    database.execute(
        "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)",
        "INSERT INTO a VALUES (1), (2)", "INSERT INTO b VALUES (1), (2)",
    )  # fmt: skip
    streams = [{"name": name, "syncMode": "incremental_append", "cursorField": ["id"]} for name in "ab"]
    connection = server.connect(database.configuration, "postgres", streams)
    connection.sync()
    return connection


def generations(connection: Connection, stream: str) -> list[int]:
    return sorted(connection.table(stream)["_airbyte_generation_id"].to_pylist())


def asked(connection: Connection, call: str, **body: Any) -> dict[str, Any]:
    """Starts a job through the configuration API and waits for its success."""
    server = connection.server
    made = server.call(
        "POST", f"{server.config}/connections/{call}", json={"connectionId": connection.id, **body}
    )
    job = connection.wait(server.call("GET", f"{server.public}/jobs/{made['job']['id']}"))
    assert job["status"] == "succeeded", connection.failure(job)
    return job


class TestRefreshAndClear:
    def test_a_merging_refresh_keeps_what_was_landed(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = incremental(airbyte, database)
        job = asked(
            connection,
            "refresh",
            refreshMode="Merge",
            streams=[{"streamName": "a", "streamNamespace": "public"}],
        )
        assert job["jobType"] == "refresh"
        assert connection.records(job) == {"a": 2, "b": 0}
        assert (generations(connection, "a"), generations(connection, "b")) == ([0, 0, 1, 1], [0, 0])
        assert connection.records(connection.sync()) == {"a": 0, "b": 0}

    def test_a_truncating_refresh_removes_what_was_landed_when_it_is_complete(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = incremental(airbyte, database)
        body = {"connectionId": connection.id, "jobType": "refresh"}
        job = connection.wait(airbyte.call("POST", f"{airbyte.public}/jobs", json=body))
        assert (job["status"], job["jobType"]) == ("succeeded", "refresh")
        assert (generations(connection, "a"), generations(connection, "b")) == ([1, 1], [1, 1])
        database.execute("INSERT INTO a VALUES (3)")
        connection.sync()
        assert generations(connection, "a") == [1, 1, 1]

    def test_a_failed_truncation_is_made_good_by_the_next_sync(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = incremental(airbyte, database)
        database.execute("ALTER TABLE b RENAME TO hidden")
        body = {"connectionId": connection.id, "jobType": "refresh"}
        assert (
            connection.wait(airbyte.call("POST", f"{airbyte.public}/jobs", json=body))["status"] == "failed"
        )
        assert generations(connection, "b") == [0, 0]
        database.execute("ALTER TABLE hidden RENAME TO b")
        connection.sync()
        assert (generations(connection, "a"), generations(connection, "b")) == ([1, 1], [1, 1])

    def test_a_clear_removes_files_and_state(self, airbyte: AirbyteServer, database: Database) -> None:
        connection = incremental(airbyte, database)
        stream = {"streamName": "a", "streamNamespace": "public"}
        assert asked(connection, "reset/stream", streams=[stream])["jobType"] == "reset"
        assert (connection.files("a"), len(connection.files("b"))) == ([], 1)
        assert asked(connection, "clear")["jobType"] == "clear"
        assert connection.files("b") == []
        state = airbyte.call("POST", f"{airbyte.config}/state/get", json={"connectionId": connection.id})
        assert state["stateType"] == "not_set"
        assert connection.records(connection.sync()) == {"a": 2, "b": 2}

    def test_a_log_based_stream_is_read_from_its_beginning_while_the_others_go_on(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        database.execute(
            "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)",
            "INSERT INTO a VALUES (1), (2)", "INSERT INTO b VALUES (1)",
        )  # fmt: skip
        streams = [{"name": name, "syncMode": "incremental_deduped_history"} for name in "ab"]
        connection = airbyte.connect(database.cdc(), "postgres", streams)
        connection.sync()
        before = generations(connection, "b")
        database.execute("INSERT INTO a VALUES (3)", "INSERT INTO b VALUES (2)")
        job = asked(connection, "refresh", streams=[{"streamName": "a", "streamNamespace": "public"}])
        assert connection.records(job) == {"a": 3, "b": 1}
        assert sorted(connection.table("a")["id"].to_pylist()) == [1, 2, 3]
        assert generations(connection, "b") == [*before, *before]
        database.execute("DELETE FROM a WHERE id = 1")
        assert connection.records(connection.sync()) == {"a": 1, "b": 0}
        asked(connection, "clear")
        assert connection.files("a") == connection.files("b") == []
        assert connection.records(connection.sync()) == {"a": 2, "b": 2}

    def test_a_stream_that_is_not_there_is_refused(self, airbyte: AirbyteServer, database: Database) -> None:
        body = {"connectionId": incremental(airbyte, database).id, "streams": [{"streamName": "c"}]}
        answer = airbyte.call("POST", f"{airbyte.config}/connections/refresh", 400, json=body)
        assert "stream c is not in connection" in answer["detail"]
        assert answer["detail"].endswith("it has public.a, public.b")


class TestStates:
    def test_a_stream_goes_on_from_the_state_that_it_is_given(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = incremental(airbyte, database)
        kept = airbyte.call("POST", f"{airbyte.config}/state/get", json={"connectionId": connection.id})
        assert kept["stateType"] == "stream"
        database.execute("INSERT INTO a VALUES (3)")
        assert connection.records(connection.sync()) == {"a": 1, "b": 0}
        body = {"connectionId": connection.id, "connectionState": kept}
        for call in ("create_or_update", "create_or_update_safe"):
            assert airbyte.call("POST", f"{airbyte.config}/state/{call}", json=body) == kept
        assert connection.records(connection.sync()) == {"a": 1, "b": 0}

    def test_a_global_state_is_kept_and_lost_by_a_refresh_of_its_stream(self, airbyte: AirbyteServer) -> None:
        connection = airbyte.connect({}, "fake", None)
        streams = [{"streamDescriptor": {"name": "things"}, "streamState": {"at": 1}}]
        state = {"stateType": "global", "globalState": {"sharedState": {"lsn": 5}, "streamStates": streams}}
        body = {"connectionId": connection.id, "connectionState": state}
        answer = airbyte.call("POST", f"{airbyte.config}/state/create_or_update", json=body)
        assert answer == {**state, "connectionId": connection.id}
        asked(connection, "clear")
        answer = airbyte.call("POST", f"{airbyte.config}/state/get", json={"connectionId": connection.id})
        assert answer["globalState"] == {"sharedState": {"lsn": 5}, "streamStates": []}

    def test_it_is_left_alone_while_a_job_runs(self, airbyte: AirbyteServer) -> None:
        connection = airbyte.connect({"mode": "hang", "marker": unique("state")}, "fake", None)
        job = connection.start()
        body = {"connectionId": connection.id, "connectionState": {"stateType": "not_set"}}
        airbyte.call("POST", f"{airbyte.config}/state/create_or_update_safe", 423, json=body)
        airbyte.call("DELETE", f"{airbyte.public}/jobs/{job['jobId']}")
