"""Landing assets of connections that a real server syncs all the time: told by a run, and by the sensor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pytest

from lakehouse.defs.ingestion.declaration import Stream
from lakehouse.defs.metadata import CHANGED
from lakehouse_tests.defs.ingestion.site import THINGS, Live, Site, told, until
from lakehouse_tests.embedded.airbyte.fixtures import ACTIVE, Database

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]

ORDERS = Stream(name="orders", sync_mode="incremental_append", cursor_field=["_ab_cdc_lsn"])
CUSTOMERS = ORDERS.model_copy(update={"name": "customers"})


def events(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[dg.AssetMaterialization]:
    """Oldest first."""
    records = instance.fetch_materializations(key, limit=100, ascending=True).records
    return [record.asset_materialization for record in records if record.asset_materialization]


def failure(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    step = result.get_step_failure_events()[0].step_failure_data
    return str(step.user_failure_data.description if step.user_failure_data else step.error)


def said(instance: dg.DagsterInstance, text: str) -> bool:
    """Whether a run's log has such a line."""
    return any(
        text in entry.user_message for run in instance.get_runs() for entry in instance.all_logs(run.run_id)
    )


def newest_job(live: Live) -> dict[str, object]:
    address = f"{live.site.server.public}/jobs?connectionId={live.made.id}&limit=1"
    return live.site.server.call("GET", address)["data"][0]


def test_what_is_landed_is_told_while_the_job_goes_on(
    site: Site, instance: dg.DagsterInstance, database: Database
) -> None:
    database.execute(
        "CREATE TABLE orders (id int PRIMARY KEY, note text)",
        "CREATE TABLE customers (id int PRIMARY KEY)",
        "INSERT INTO orders SELECT i, 'x' FROM generate_series(1, 50) i",
    )
    live = site.connect("postgres", database.cdc(), ORDERS, CUSTOMERS)
    key, stream = live.keys["orders"], "orders"
    with ThreadPoolExecutor() as threads:
        with database.connection() as other, other.transaction():
            other.execute("LOCK TABLE orders")
            live = live.scheduled("continuous")
            run = threads.submit(live.land, instance)
            until(lambda: said(instance, "reads for the first time: orders"))
            assert not run.done()
        assert run.result(30).success  # waited for the snapshot, and not for the end of the job
    assert newest_job(live)["status"] in ACTIVE
    (first,) = events(instance, key)
    assert (told(first, CHANGED), told(first, "lakehouse/files")) == (50, 1)

    files = len(live.made.files(stream))
    database.execute("INSERT INTO orders VALUES (51, 'y')", "UPDATE orders SET note = 'z' WHERE id < 3")
    until(lambda: len(live.made.files(stream)) > files and live.made.table(stream).num_rows == 53)
    assert live.land(instance).success
    second = events(instance, key)[-1]
    assert told(second, CHANGED) == 3
    assert told(second, "airbyte/job_id") == told(first, "airbyte/job_id")
    assert told(second, "bytes") == sum(f.stat().st_size for f in live.made.files(stream)[files:])
    start, end = told(second, "airbyte/log_from"), told(second, "airbyte/log_to")
    assert told(first, "airbyte/log_to") < start <= end <= told(second, "airbyte/log_lsn")
    assert told(second, "airbyte/generation") == told(first, "airbyte/generation")
    assert told(second, "airbyte/log_lag_bytes") >= 0

    nothing = live.tick(instance, None)
    assert nothing.landed == []
    database.execute("DELETE FROM orders WHERE id = 51")
    until(lambda: live.made.table(stream).num_rows == 54)
    (third,) = live.tick(instance, nothing.cursor).landed
    assert third.asset_key == key
    assert told(third, CHANGED) == 1
    assert live.land(instance).success
    assert told(events(instance, key)[-1], CHANGED) == 0
    assert sum(told(event, CHANGED) for event in events(instance, key)) == 54
    live.scheduled("manual")
    site.server.call("DELETE", f"{site.server.public}/jobs/{newest_job(live)['jobId']}")


def test_every_job_since_the_last_run_is_told_once(site: Site, instance: dg.DagsterInstance) -> None:
    live = site.connect("fake", {"mode": "good"}, THINGS).scheduled("continuous")
    assert live.land(instance).success
    until(lambda: len(live.made.files("things")) >= 4)
    assert live.land(instance).success
    live.scheduled("manual")
    until(lambda: newest_job(live)["status"] not in ACTIVE)
    cursor = live.tick(instance, None).cursor
    assert live.tick(instance, cursor).landed == []
    found = events(instance, live.keys["things"])
    assert sum(told(event, CHANGED) for event in found) == live.made.table("things").num_rows
    assert sum(told(event, "lakehouse/files") for event in found) == len(live.made.files("things"))


def test_a_failed_job_fails_the_run_in_airbyte_s_words(site: Site, instance: dg.DagsterInstance) -> None:
    live = site.connect("fake", {"mode": "trace"}, THINGS).scheduled("continuous")
    result = live.land(instance, raise_on_error=False)
    assert "sync failed: source: the token has expired" in failure(result)
    assert events(instance, live.keys["things"]) == []
    live.scheduled("manual")


def test_a_live_connection_that_is_not_continuous_is_refused(
    site: Site, instance: dg.DagsterInstance
) -> None:
    live = site.connect("fake", {"mode": "good"}, THINGS).scheduled("continuous")
    live.scheduled("manual")
    text = failure(live.land(instance, raise_on_error=False))
    assert f"connection {live.declared.name}: schedule is manual, declared is continuous; `lakehouse" in text
