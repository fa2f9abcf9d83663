"""Jobs that the Airbyte-compatible server starts by itself, because a schedule says so."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

import pytest

from lakehouse_tests.contract.test_airbyte_jobs import jobs_of
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


def schedule(connection: Connection, expression: str) -> None:
    body = {"schedule": {"scheduleType": "cron", "cronExpression": expression}}
    connection.server.call("PATCH", f"{connection.server.public}/connections/{connection.id}", json=body)


def unschedule(connection: Connection) -> None:
    body = {"schedule": {"scheduleType": "manual"}}
    connection.server.call("PATCH", f"{connection.server.public}/connections/{connection.id}", json=body)


class TestSchedules:
    def test_a_continuous_connection_syncs_one_time_after_the_other(self, airbyte: AirbyteServer) -> None:
        connection = airbyte.connect({}, "fake", None)
        schedule(connection, "* * * * * ?")
        eventually(lambda: len(jobs_of(connection)) >= 3)
        unschedule(connection)
        ran = jobs_of(connection)
        assert {job["status"] for job in ran[:-1]} == {"succeeded"}
        connection.wait(ran[-1])
        time.sleep(0.8)
        assert len(jobs_of(connection)) == len(ran)

    def test_a_continuous_log_is_waited_on_within_one_job(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        database.execute("CREATE TABLE a (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)")
        streams = [{"name": "a", "syncMode": "incremental_deduped_history"}]
        connection = airbyte.connect(database.cdc(), "postgres", streams)
        schedule(connection, "* * * * * ?")
        eventually(lambda: len(connection.files("a")) == 1)
        database.execute("INSERT INTO a VALUES (2)")
        eventually(lambda: len(connection.files("a")) == 2)
        (job,) = jobs_of(connection)
        assert job["status"] == "running"
        unschedule(connection)
        airbyte.call("DELETE", f"{airbyte.public}/jobs/{job['jobId']}")

    def test_a_continuous_connection_keeps_no_other_out(self, airbyte_of_its_own: MakeServer) -> None:
        server = airbyte_of_its_own(workers=1)
        waiting = server.connect({"mode": "hang", "marker": unique("room")}, "fake", None)
        schedule(waiting, "* * * * * ?")
        eventually(lambda: [job["status"] for job in jobs_of(waiting)] == ["running"])
        server.connect({}, "fake", None).sync()

    def test_an_interval_begins_at_once(self, airbyte: AirbyteServer) -> None:
        connection = airbyte.connect({}, "fake", None)
        basic = {"basicSchedule": {"timeUnit": "hours", "units": 1}}
        body = {"connectionId": connection.id, "scheduleType": "basic", "scheduleData": basic}
        shown = airbyte.call("POST", f"{airbyte.config}/connections/update", json=body)
        assert (shown["scheduleType"], shown["scheduleData"]) == ("basic", basic)
        eventually(lambda: [job["status"] for job in jobs_of(connection)] == ["succeeded"])
        time.sleep(0.6)
        assert len(jobs_of(connection)) == 1

    def test_a_connection_that_fails_is_left_alone_for_a_while(self, airbyte: AirbyteServer) -> None:
        connection = airbyte.connect({"mode": "exit"}, "fake", None)
        schedule(connection, "* * * * * ?")
        eventually(lambda: [job["status"] for job in jobs_of(connection)] == ["failed"])
        time.sleep(1.2)
        assert len(jobs_of(connection)) == 1
        unschedule(connection)

    def test_an_inactive_connection_never_syncs(self, airbyte: AirbyteServer) -> None:
        connection = airbyte.connect({}, "fake", None)
        address = f"{airbyte.public}/connections/{connection.id}"
        airbyte.call("PATCH", address, json={"status": "inactive"})
        schedule(connection, "* * * * * ?")
        time.sleep(0.8)
        assert jobs_of(connection) == []
        unschedule(connection)

    def test_a_fire_that_the_server_missed_happens_once(self, airbyte_of_its_own: MakeServer) -> None:
        server = airbyte_of_its_own()
        connection = server.connect({}, "fake", None)
        schedule(connection, "0 0 0 1 1 ?")
        server.kill()
        with sqlite3.connect(server.home / "airbyte.db") as store:
            store.execute("UPDATE schedules SET next_at = 1")
        store.close()
        server.start()
        eventually(lambda: [job["status"] for job in jobs_of(connection)] == ["succeeded"])
        time.sleep(0.6)
        assert len(jobs_of(connection)) == 1
