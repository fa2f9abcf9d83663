"""Tables declare tiers, and connections are synced as often as their most frequent table."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.automation.schedules import tier_schedule
from lakehouse.defs.automation.tiers import CRON, tiers
from lakehouse.defs.ingestion.declaration import connection_of
from lakehouse.defs.project import declared_datasets
from lakehouse.errors import ConfigurationError
from lakehouse_tests.defs.conftest import graph_of

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def tables(**declared: Any) -> list[BronzeTable]:
    """The flights' tables with these tiers."""
    found = {table.table: table for table in declared_datasets().bronze if table.source == "flights"}
    return [replace(table, schedule=declared.get(name)) for name, table in found.items()]


def test_the_most_frequent_table_decides() -> None:
    assert tiers(tables(airlines="daily", weather="every_15_minutes", flights="every_6_hours")) == {
        "flights": "every_15_minutes"
    }
    assert tiers(tables(airlines="daily")) == {"flights": "daily"}
    assert tiers(tables()) == {}


def test_what_airbyte_schedules_itself_has_no_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse.defs.automation import tiers as module

    declared = connection_of("flights")
    assert declared
    continuous = declared.model_copy(update={"schedule": "continuous"})
    monkeypatch.setattr(module, "connection_of", lambda _: continuous)
    told = (
        r"source flights, table flights__airlines: meta\.lakehouse\.schedule is daily, though Airbyte starts"
    )
    with pytest.raises(ConfigurationError, match=told):
        tiers(tables(airlines="daily"))


def tick(instance: dg.DagsterInstance, at: datetime = NOON) -> Any:
    declared = connection_of("flights")
    assert declared
    schedule = tier_schedule("every_6_hours", [declared], "UTC")
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=at,
        repository_def=graph_of("production").get_repository_def(),
    )
    told = schedule.evaluate_tick(context)
    return told.run_requests or told.skip_message


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk: a schedule opens it by its reference."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as opened:
        yield opened


def test_a_tick_syncs_the_connection_once(instance: dg.DagsterInstance) -> None:
    [request] = tick(instance)
    assert {key.to_user_string() for key in request.asset_selection} == {
        f"landing/flights/{stream}" for stream in ("airlines", "airports", "flights", "planes", "weather")
    }
    assert request.tags["lakehouse/why"] == "schedule"
    assert request.run_key == tick(instance)[0].run_key
    assert request.run_key != tick(instance, NOON.replace(hour=18))[0].run_key


def test_a_connection_that_still_syncs_is_left_alone(instance: dg.DagsterInstance) -> None:
    job = graph_of("local").resolve_job_def("sync_flights")
    run = instance.create_run_for_job(job)
    skipped = tick(instance)
    assert skipped == "at work still: flights"
    instance.report_run_failed(run)
    assert len(tick(instance)) == 1


def test_it_is_registered_where_the_environment_names_it() -> None:
    assert graph_of("local").get_repository_def().schedule_defs == []
    [schedule] = graph_of("production").get_repository_def().schedule_defs
    assert (schedule.name, schedule.cron_schedule) == ("every_6_hours", CRON["every_6_hours"])
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
