"""The log that a real Postgres keeps for a connection: asked of the database, told once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse.defs.ingestion import log_kept as kept
from lakehouse.defs.ingestion.declaration import Connection, Source, Stream
from lakehouse.defs.ingestion.log_kept import GIB, LOG_KEPT, Kept, log_kept, log_kept_facts, reads_log
from lakehouse.defs.ingestion.log_sensor import log_sensor
from lakehouse.defs.resources import LakehouseResource
from lakehouse.settings import Settings
from lakehouse_tests.embedded.airbyte.fixtures import Database, PostgresServer

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
CONNECTION = Connection(
    name="shop", namespace="shop", streams=[Stream(name="t", sync_mode="incremental_append")]
)
KEY = dg.AssetKey(["landing", "shop", "t"])


@pytest.mark.parametrize(
    ("found", "severity", "told"),
    [
        (Kept("reserved", 2**20, 2**20, None), None, None),
        (Kept("reserved", GIB // 4, 0, GIB), None, None),
        (Kept("reserved", GIB, GIB, None), WARN, "give its log up: SELECT pg_drop_replication_slot('s')"),
        (Kept("extended", 10, 10, None), WARN, "sync connection shop"),
        (Kept("reserved", 20 * GIB, 2**20, None), ERROR, "oldest transaction"),
        (Kept("reserved", 900, 900, 100), ERROR, "removes it unread"),
        (Kept("reserved", 600, 600, 400), WARN, "removes it unread"),
        (Kept("unreserved", 10, 10, 0), ERROR, "sync connection shop"),
        (Kept("lost", None, None, None), ERROR, "is lost"),
    ],
)
def test_what_is_too_much(found: Kept, severity: Any, told: str | None) -> None:
    facts = log_kept_facts("s", "shop", found)
    assert facts["passed"] == (severity is None)
    assert facts.get("severity") == severity
    assert told is None or told in facts["description"]


def source(database: Database) -> Source:
    return Source(name="shop", configuration={"sourceType": "postgres", **database.cdc()})


def test_only_log_based_connections_to_postgres_have_the_check() -> None:
    database = Database(1, "d")
    assert reads_log(source(database))
    assert not reads_log(Source(name="x", configuration={"sourceType": "postgres", **database.configuration}))
    assert not reads_log(Source(name="x", configuration={"sourceType": "files"}))


@pytest.fixture
def own(postgres_of_its_own: PostgresServer) -> Database:
    return Database(postgres_of_its_own.port, "postgres")


@pytest.mark.slow
def test_a_slot_that_nobody_reads_is_told_of_once(
    own: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = log_sensor(source(own), CONNECTION, [KEY])
    resources = {"lakehouse": LakehouseResource(home=str(tmp_path))}
    with dg.DagsterInstance.ephemeral() as instance:

        def tick() -> list[dg.AssetCheckEvaluation]:
            with dg.build_sensor_context(instance=instance, resources=resources) as context:
                result = sensor(context)
            assert isinstance(result, dg.SensorResult)
            events = list(result.asset_events)
            for event in events:
                assert isinstance(event, dg.AssetCheckEvaluation)
                instance.report_runless_asset_event(event)
            return events

        assert [event.passed for event in tick()] == [True]
        assert tick() == []
        own.execute(
            "SELECT pg_create_logical_replication_slot('postgres', 'pgoutput')",
            "SELECT pg_logical_emit_message(true, '', repeat('x', 4000000))",
        )
        assert tick() == []
        monkeypatch.setattr(kept, "MUCH", 1_000_000)
        (warned,) = tick()
        assert (warned.check_name, warned.severity) == (LOG_KEPT, WARN)
        assert "give its log up: SELECT pg_drop_replication_slot('postgres')" in (warned.description or "")
        assert warned.metadata["log/kept_bytes"].value > 3_000_000
        assert tick() == []
        own.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()")
        for _ in range(4):
            own.execute(
                "SELECT pg_logical_emit_message(false, '', repeat('x', 9000000))", "SELECT pg_switch_wal()"
            )
        own.execute("CHECKPOINT")
        (failed,) = tick()
        assert (failed.severity, failed.metadata["log/wal_status"].value) == (ERROR, "lost")
        own.execute("SELECT pg_drop_replication_slot('postgres')")
        assert [event.passed for event in tick()] == [True]


def test_a_database_that_does_not_answer_here_is_a_warning(tmp_path: Path) -> None:
    facts = log_kept(Settings(home=tmp_path), source(Database(1, "nowhere")), CONNECTION)
    assert (facts["passed"], facts["severity"]) == (False, WARN)
    assert "nobody can tell how much log replication slot nowhere keeps: " in facts["description"]
