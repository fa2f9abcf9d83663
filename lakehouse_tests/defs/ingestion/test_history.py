"""Syncs of a real server in `sync_history`, and the state of their connection."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from lakehouse.defs.ingestion.history import record_syncs
from lakehouse.observability.metadata.database import metadata_database
from lakehouse.observability.metadata.tables import airbyte_state, sync_history
from lakehouse_tests.defs.ingestion.site import THINGS, Live, Site
from lakehouse_tests.embedded.airbyte.fixtures import Database

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]


def syncs(live: Live) -> list[Any]:
    table = sync_history.c
    query = sa.select(sync_history).where(table.connection == live.declared.name).order_by(table.started)
    with metadata_database(live.site.settings).transaction() as connection:
        return list(connection.execute(query.order_by(table.job_id)))


def state(live: Live) -> Any:
    query = sa.select(airbyte_state).where(airbyte_state.c.connection_id == live.made.id)
    with metadata_database(live.site.settings).transaction() as connection:
        return connection.execute(query).one_or_none()


def test_a_run_s_sync_is_recorded(site: Site, instance: dg.DagsterInstance) -> None:
    live = site.connect("fake", {"mode": "good", "rows": 3}, THINGS)
    live.land(instance)
    (row,) = syncs(live)
    assert (row.status, row.rows, row.failure) == ("succeeded", 3, "")
    assert row.bytes > 0
    assert row.started <= row.ended


def test_a_failed_one_too(site: Site, instance: dg.DagsterInstance) -> None:
    live = site.connect("fake", {"mode": "trace"}, THINGS)
    live.land(instance, raise_on_error=False)
    (row,) = syncs(live)
    assert row.status == "failed"
    assert row.failure


def test_what_airbyte_did_meanwhile_is_recorded_once_by_the_next_look(
    site: Site, instance: dg.DagsterInstance
) -> None:
    live = site.connect("fake", {"mode": "good", "rows": 2}, THINGS)
    for _ in range(3):
        live.made.sync()
    live.tick(instance, None)
    assert [row.rows for row in syncs(live)] == [2, 2, 2]
    record_syncs(site.settings, live.declared.name, pytest.fail)
    assert len(syncs(live)) == 3


def test_the_state_of_a_connection(site: Site, database: Database, instance: dg.DagsterInstance) -> None:
    database.execute("CREATE TABLE things (id int PRIMARY KEY, changed timestamp)")
    database.execute("INSERT INTO things VALUES (1, '2025-01-01 12:00')")
    things = THINGS.model_copy(update={"sync_mode": "incremental_append", "cursor_field": ["changed"]})
    live = site.connect("postgres", database.configuration, things)
    live.land(instance)
    before = state(live)
    assert "2025-01-01" in str(before.state)
    database.execute("INSERT INTO things VALUES (2, '2025-02-02 12:00')")
    live.land(instance)
    after = state(live)
    assert "2025-02-02" in str(after.state)
    assert after.updated_at > before.updated_at


def test_a_database_that_is_down_is_a_warning_and_the_next_sync_catches_up(
    site: Site, instance: dg.DagsterInstance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    live = site.connect("fake", {"mode": "good", "rows": 3}, THINGS)
    folder = site.home / "metadata"
    away = folder.with_name("metadata.away")
    if folder.exists():
        folder.rename(away)
    folder.touch()
    told = live.land(instance)
    assert told.success
    messages = [entry.message for entry in instance.all_logs(told.run_id)]
    lost = f"the syncs of connection {live.declared.name} are recorded after its next one"
    assert any(lost in message for message in messages), messages
    folder.unlink()
    if away.exists():
        away.rename(folder)
    live.land(instance)
    assert [row.rows for row in syncs(live)] == [3, 3]
