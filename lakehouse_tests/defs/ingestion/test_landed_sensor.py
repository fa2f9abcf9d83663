"""Syncs that a real server started by itself, told as landing events: each once, and none without a word."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.defs.automation.execute import Runner
from lakehouse.defs.automation.refresh import refresh
from lakehouse.defs.automation.stale import Stale, stale_bronze
from lakehouse.defs.bronze.assets import bronze_asset
from lakehouse.defs.ingestion.component import landing_assets
from lakehouse.defs.ingestion.declaration import FOLDER, Connection, declarations
from lakehouse.defs.ingestion.last_sync import LAST_SYNC
from lakehouse.defs.ingestion.references import resolve
from lakehouse.defs.ingestion.sensor import landed_sensor
from lakehouse.defs.metadata import CHANGED
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource
from lakehouse.errors import PermanentError, ServiceDownError
from lakehouse.settings import environment
from lakehouse_tests.defs.ingestion.site import EVERY_SECOND_SECOND, THINGS, Live, Site, Tick, told, until

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]


def good(site: Site, rows: int = 3) -> Live:
    return site.connect("fake", {"mode": "good", "rows": rows}, THINGS)


def jobs(tick: Tick) -> list[int]:
    return [told(event, "airbyte/job_id") for event in tick.landed]


def events_of(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[int]:
    records = instance.fetch_materializations(key, limit=100).records
    return sorted(told(r.asset_materialization, "airbyte/job_id") for r in records if r.asset_materialization)


def test_a_sync_of_airbyte_s_own_schedule_is_told_once(site: Site, instance: dg.DagsterInstance) -> None:
    live = good(site).scheduled(EVERY_SECOND_SECOND)
    ticks: list[Tick] = []

    def ticked() -> bool:
        ticks.append(live.tick(instance, ticks[-1].cursor if ticks else None))
        time.sleep(0.2)
        return len([event for tick in ticks for event in tick.landed]) >= 2

    until(ticked)
    live.scheduled("manual")
    until(lambda: not ticks.append(live.tick(instance, ticks[-1].cursor)) and not ticks[-1].landed)
    landed = [event for tick in ticks for event in tick.landed]
    assert all(told(event, CHANGED) == 3 and told(event, "lakehouse/files") == 1 for event in landed)
    assert all(told(event, "airbyte/generation") >= 0 and told(event, "bytes") > 0 for event in landed)
    assert len(landed) == len(live.made.files("things")) == len(set(events_of(instance, live.keys["things"])))

    nothing = live.tick(instance, ticks[-1].cursor)
    assert nothing.events == []
    assert nothing.skipped.startswith(f"nothing new from connection {live.declared.name} of Airbyte at http")


def test_a_tick_that_dies_before_its_cursor_is_kept_tells_nothing_twice(
    site: Site, instance: dg.DagsterInstance
) -> None:
    live = good(site)
    first = live.tick(instance, None)
    assert first.events == []
    assert first.skipped
    for _ in range(3):
        live.made.sync()
    started = live.tick(instance, None)
    assert len(jobs(started)) == 3
    assert [told(event, "lakehouse/files") for event in started.landed] == [1, 1, 1]
    live.made.sync()
    again = live.tick(instance, None)
    assert len(jobs(again)) == 1
    assert live.tick(instance, started.cursor).events == []
    assert len(set(events_of(instance, live.keys["things"]))) == 4


def test_a_job_of_a_run_is_told_by_the_run_alone(site: Site, instance: dg.DagsterInstance) -> None:
    live = good(site)
    live.made.sync()
    before = live.tick(instance, None)
    live.made.sync()
    assert live.land(instance).success
    after = live.tick(instance, before.cursor)
    # The sync before the run's is told late rather than never.
    assert len(jobs(after)) == 1
    told_jobs = events_of(instance, live.keys["things"])
    assert len(told_jobs) == len(set(told_jobs)) == 3


def test_an_airbyte_that_counts_from_one_again_is_told_of(site: Site, instance: dg.DagsterInstance) -> None:
    live = good(site)
    job = live.made.sync()["jobId"]
    old = {"airbyte/job_id": job, "airbyte/job_rows": 3, "airbyte/job_bytes": 9, CHANGED: 3}
    started = dg.MetadataValue.timestamp(datetime(2026, 1, 1, tzinfo=UTC))
    event = dg.AssetMaterialization(live.keys["things"], metadata={**old, "airbyte/job_started": started})
    instance.report_runless_asset_event(event)
    assert jobs(live.tick(instance, None)) == [job]
    assert jobs(live.tick(instance, None)) == []
    of_another = json.dumps({"started": "2026-01-01T00:00:00+00:00", "job": job + 100})
    live.made.sync()
    assert len(jobs(live.tick(instance, of_another))) == 1


def test_while_a_run_syncs_its_job_is_left_to_it(site: Site, instance: dg.DagsterInstance) -> None:
    live = good(site)
    live.made.sync()
    job = dg.Definitions(
        assets=[landing_assets(live.source, live.declared)], resources={"lakehouse": site.resource}
    )
    run = instance.create_run_for_job(
        job.resolve_implicit_global_asset_job_def(),
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset(live.keys.values()),
    )
    tick = live.tick(instance, None)
    assert tick.events == []
    assert tick.skipped.startswith(f"run {run.run_id} syncs connection")
    instance.report_run_failed(run)
    assert len(jobs(live.tick(instance, None))) == 1


def test_a_failed_sync_is_a_failed_check_until_one_succeeds(site: Site, instance: dg.DagsterInstance) -> None:
    live = site.connect("fake", {"mode": "exit"}, THINGS)
    live.made.fail()
    failed = live.tick(instance, None)
    assert failed.landed == []
    check = failed.checks[0]
    assert (check.asset_key, check.check_name, check.passed) == (live.keys["things"], LAST_SYNC, False)
    assert "something went wrong at line 7" in (check.description or "")
    assert live.tick(instance, None).events == []  # killed before its cursor was kept

    address = f"{site.server.public}/sources/{live.made.source_id}"
    site.server.call("PATCH", address, json={"configuration": {"mode": "good"}})
    for _ in range(2):
        live.made.sync()
    good_again = live.tick(instance, failed.cursor)
    assert [check.passed for check in good_again.checks] == [True]
    assert len(good_again.landed) == 2


def test_airbyte_down_or_a_connection_that_is_gone_is_no_quiet_tick(
    site: Site, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    live = good(site)
    site.server.call("DELETE", f"{site.server.public}/connections/{live.made.id}", 204)
    with pytest.raises(PermanentError, match=f"has no connection '{live.declared.name}'; `lakehouse connec"):
        live.tick(instance, None)
    workspace = site.server.workspace_id
    (tmp_path / "lakehouse.env").write_text(
        f"LAKEHOUSE_AIRBYTE__URL=http://127.0.0.1:1\nLAKEHOUSE_AIRBYTE__WORKSPACE_ID={workspace}\n"
    )
    resources = {"lakehouse": LakehouseResource(home=str(tmp_path))}
    context = dg.build_sensor_context(instance=instance, resources=resources)
    with pytest.raises(ServiceDownError, match=r"Airbyte at http://127.0.0.1:1: does not answer; start it"):
        landed_sensor(live.declared, live.keys)(context)


def test_bronze_is_behind_what_the_sensor_told(site: Site, instance: dg.DagsterInstance) -> None:
    """The airlines of the declared flights, from the declared files, synced by nobody of Dagster's."""
    table = next(t for t in declared_datasets().bronze if t.relation.name == "flights__airlines")
    declared = declarations()[FOLDER / "flights" / "defs.yaml"]
    stream = declared.connection.stream("airlines")
    assert stream
    environ = environment(site.settings)
    live = site.connect(
        "files", resolve(dict(declared.source.configuration), environ, where="flights"), stream
    ).named("flights")
    graph = dg.Definitions(
        assets=[landing_assets(live.source, live.declared), bronze_asset(table)],
        resources={"lakehouse": site.resource},
    )
    assert stale_bronze(instance, site.settings) == {}
    live.made.sync()
    event = live.tick(instance, None).landed[0]
    assert (event.asset_key, told(event, CHANGED)) == (dg.AssetKey(table.landing_key), 16)
    assert stale_bronze(instance, site.settings) == {dg.AssetKey(table.key): Stale()}

    steps = list(refresh(Runner(graph, instance, "test"), site.settings))
    assert [step.name for step in steps] == ["landing", "bronze"]
    merged = instance.get_latest_materialization_event(dg.AssetKey(table.key))
    assert merged
    assert merged.asset_materialization
    assert told(merged.asset_materialization, "dagster/row_count") == 16
    assert stale_bronze(instance, site.settings) == {}


def test_it_runs_where_airbyte_has_a_schedule() -> None:
    def status(schedule: str) -> dg.DefaultSensorStatus:
        connection = Connection(name="shop", namespace="shop", streams=[THINGS], schedule=schedule)
        return landed_sensor(connection, {}).default_status

    assert status("manual") == dg.DefaultSensorStatus.STOPPED
    assert status("continuous") == status("0 0 * * * ?") == dg.DefaultSensorStatus.RUNNING
