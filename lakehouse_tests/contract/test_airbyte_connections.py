"""Connections as clients declare them: schedules, sync modes, and what a change of the source's schema does."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse_tests.embedded.airbyte.fixtures import (
    AirbyteServer,
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
