"""Connections as clients declare them: schedules, sync modes, and what a change of the source's schema does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pyarrow.parquet as pq
import pytest

from lakehouse_tests.embedded.airbyte.fixtures import (
    AirbyteServer,
    Connection,
    Database,
    airbyte,
    database,
    postgres_port,
)

__all__ = ["airbyte", "database", "postgres_port"]
pytestmark = pytest.mark.slow


def shown(server: AirbyteServer, connection_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A connection as the public and as the configuration API have it."""
    public = server.call("GET", f"{server.public}/connections/{connection_id}")
    body = {"connectionId": connection_id}
    return public, server.call("POST", f"{server.config}/connections/get", json=body)


class TestSchedules:
    @pytest.mark.parametrize(
        ("given", "expression", "zone"),
        [
            ("0 0 3 * * ?", "0 0 3 * * ?", "UTC"),
            ("0 0 3 * * ? UTC", "0 0 3 * * ?", "UTC"),
            ("0 0 3 ? * MON/2", "0 0 3 ? * MON/2", "UTC"),
            ("0 0 3 * * ? Europe/Berlin", "0 0 3 * * ? Europe/Berlin", "Europe/Berlin"),
        ],
    )
    def test_a_cron_schedule_is_kept(
        self, airbyte: AirbyteServer, given: str, expression: str, zone: str
    ) -> None:
        connection = airbyte.connect({}, "fake", None)
        address = f"{airbyte.public}/connections/{connection.id}"
        cron = {"scheduleType": "cron", "cronExpression": given}
        airbyte.call("PATCH", address, json={"schedule": cron})
        public, config = shown(airbyte, connection.id)
        assert public["schedule"] == {"scheduleType": "cron", "cronExpression": expression}
        assert config["scheduleData"]["cron"] == {
            "cronExpression": expression.removesuffix(f" {zone}"),
            "cronTimeZone": zone,
        }
        airbyte.call("PATCH", address, json={"schedule": public["schedule"]})
        assert shown(airbyte, connection.id) == (public, config)
        airbyte.call("PATCH", address, json={"schedule": {"scheduleType": "manual"}})
        assert shown(airbyte, connection.id)[0]["schedule"] == {"scheduleType": "manual"}

    @pytest.mark.parametrize(
        ("schedule", "problem"),
        [
            ({"scheduleType": "cron"}, "needs cronExpression"),
            ({"scheduleType": "cron", "cronExpression": "0 0 * * *"}, "5 fields; Quartz has 6 or 7"),
            ({"scheduleType": "cron", "cronExpression": "0 0 3 * * ? Mars/Olympus"}, "is not acceptable"),
            ({"scheduleType": "manual", "cronExpression": "0 0 3 * * ?"}, "belongs to scheduleType cron"),
        ],
    )
    def test_what_is_no_schedule_is_refused(
        self, airbyte: AirbyteServer, schedule: dict[str, Any], problem: str
    ) -> None:
        address = f"{airbyte.public}/connections/{airbyte.connect({}, 'fake', None).id}"
        assert problem in airbyte.call("PATCH", address, 400, json={"schedule": schedule})["detail"]


def test_a_deduplicated_stream_lands_as_append_and_keeps_its_mode(
    airbyte: AirbyteServer, database: Database
) -> None:
    database.execute("CREATE TABLE t (id int PRIMARY KEY, at int)", "INSERT INTO t VALUES (1, 1)")
    stream = {"name": "t", "syncMode": "incremental_deduped_history", "cursorField": ["at"]}
    connection = airbyte.connect(database.configuration, "postgres", [stream])
    connection.sync()
    database.execute("UPDATE t SET at = 2")
    connection.sync()
    assert connection.table("t")["at"].to_pylist() == [1, 2]
    public, config = shown(airbyte, connection.id)
    (kept,) = public["configurations"]["streams"]
    assert (kept["syncMode"], kept["primaryKey"]) == ("incremental_deduped_history", [["id"]])
    modes = {
        name: config["syncCatalog"]["streams"][0]["config"][name]
        for name in ("syncMode", "destinationSyncMode")
    }
    assert modes == {"syncMode": "incremental", "destinationSyncMode": "append_dedup"}


@pytest.mark.parametrize(
    ("behavior", "preference"),
    [
        ("ignore", "ignore"),
        ("disable_connection", "disable"),
        ("propagate_columns", "propagate_columns"),
        ("propagate_fully", "propagate_fully"),
    ],
)
def test_the_schema_behaviour_is_kept(airbyte: AirbyteServer, behavior: str, preference: str) -> None:
    connection = airbyte.connect({}, "fake", None)
    address = f"{airbyte.public}/connections/{connection.id}"
    airbyte.call("PATCH", address, json={"nonBreakingSchemaUpdatesBehavior": behavior})
    public, config = shown(airbyte, connection.id)
    assert public["nonBreakingSchemaUpdatesBehavior"] == behavior
    assert config["nonBreakingChangesPreference"] == preference


def changes(connection: Connection) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(connection.server.home / "airbyte.db")) as store:
        sql = "SELECT stream, column_name, kind, before, after FROM schema_changes WHERE connection_id = ? ORDER BY id"
        return store.execute(sql, (connection.id,)).fetchall()


class TestSchemaChanges:
    """A table changes between two syncs."""

    def connected(self, server: AirbyteServer, database: Database, behavior: str) -> Connection:
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, at int, a int)", "INSERT INTO t VALUES (1, 1, 1)"
        )
        streams = [{"name": "t", "syncMode": "incremental_append", "cursorField": ["at"]}]
        connection = server.connect(database.configuration, "postgres", streams)
        body = {"nonBreakingSchemaUpdatesBehavior": behavior}
        server.call("PATCH", f"{server.public}/connections/{connection.id}", json=body)
        connection.sync()
        return connection

    def test_columns_are_propagated(self, airbyte: AirbyteServer, database: Database) -> None:
        connection = self.connected(airbyte, database, "propagate_columns")
        assert changes(connection) == []
        database.execute(
            "ALTER TABLE t DROP COLUMN a", "ALTER TABLE t ADD COLUMN b text", "INSERT INTO t VALUES (2, 2, 'x')",
            "CREATE TABLE other (id int)",
        )  # fmt: skip
        job = connection.sync()
        assert connection.records(job) == {"t": 1}
        assert pq.ParquetFile(connection.files("t")[-1]).schema_arrow.names[4:] == ["id", "at", "b"]
        found = {row[1]: row for row in changes(connection)}
        assert set(found) == {"a", "b"}
        assert (found["a"][2], found["b"][2]) == ("removed", "added")
        assert (found["a"][4], found["b"][3]) == (None, None)
        assert ("integer" in found["a"][3], "string" in found["b"][4]) == (True, True)
        database.execute("ALTER TABLE t ALTER COLUMN b TYPE int USING 7", "INSERT INTO t VALUES (3, 3, 8)")
        connection.sync()
        assert [row[:3] for row in changes(connection)][-1] == ("t", "b", "retyped")
        assert pq.read_table(connection.files("t")[-1])["b"].to_pylist() == [8]
        body = {"id": job["jobId"]}
        lines = airbyte.call("POST", f"{airbyte.config}/jobs/get", json=body)["attempts"][0]["logs"][
            "logLines"
        ]
        assert any("the source's schema changed: stream t: column b added" in line for line in lines)

    def test_streams_are_added_only_when_everything_is_propagated(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = self.connected(airbyte, database, "propagate_fully")
        database.execute("CREATE TABLE other (id int)", "INSERT INTO other VALUES (5)")
        assert connection.records(connection.sync()) == {"t": 0, "other": 1}
        assert [row[:3] for row in changes(connection)] == [("other", "", "added")]

    def test_a_gone_cursor_fails_the_job_with_the_reason(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = self.connected(airbyte, database, "propagate_columns")
        database.execute("ALTER TABLE t DROP COLUMN at")
        assert connection.fail().startswith("stream t: column at of its cursor is gone from the source")
        database.execute("DROP TABLE t")
        assert connection.fail().startswith("stream t: it is gone from the source")

    def test_a_connection_may_be_disabled_by_a_change(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = self.connected(airbyte, database, "disable_connection")
        database.execute("ALTER TABLE t ADD COLUMN b text")
        assert connection.fail().startswith("the source's schema changed (stream t: column b added)")
        assert shown(airbyte, connection.id)[0]["status"] == "inactive"
        assert "is inactive" in connection.start(400)["detail"]

    def test_nothing_changes_when_changes_are_ignored(
        self, airbyte: AirbyteServer, database: Database
    ) -> None:
        connection = self.connected(airbyte, database, "ignore")
        database.execute("ALTER TABLE t ADD COLUMN b text", "INSERT INTO t VALUES (2, 2, 2, 'x')")
        connection.sync()
        assert changes(connection) == []
        assert connection.table("t").column_names[4:] == ["id", "at", "a"]

    def test_a_connector_that_is_not_ours_is_asked_by_its_command(self, airbyte: AirbyteServer) -> None:
        connection = airbyte.connect({}, "fake", None)
        body: dict[str, Any] = {"nonBreakingSchemaUpdatesBehavior": "propagate_fully"}
        airbyte.call("PATCH", f"{airbyte.public}/connections/{connection.id}", json=body)
        body = {"configuration": {"streams": ["things", "more"], "mode": "garbage"}}
        airbyte.call("PATCH", f"{airbyte.public}/sources/{connection.source_id}", json=body)
        assert connection.records(connection.sync()) == {"things": 1, "more": 0}
