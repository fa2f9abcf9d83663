"""What became of every asset and partition of a run, and why the run happened."""

from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from lakehouse.defs.automation.outcome_sensor import partition_outcomes as sensor
from lakehouse.defs.automation.outcomes import record_missing
from lakehouse.defs.automation.why import WHY, why
from lakehouse.defs.resources import LakehouseResource
from lakehouse.observability.metadata.database import metadata_database
from lakehouse.observability.metadata.tables import partition_outcomes
from lakehouse.settings import load_settings
from lakehouse_tests.defs.automation.small_shop import METRICS, ORDERS, REGIONS, REVENUE, Shop

LAST_DAYS = [f"2025-01-0{day}" for day in (3, 4, 5)]


def rows(shop: Shop) -> list[tuple[str, str, str, int | None]]:
    table = partition_outcomes.c
    query = sa.select(table.asset, table.partition, table.outcome, table.rows)
    with shop.metadata.transaction() as connection:
        return [
            tuple(row)
            for row in connection.execute(query.order_by(table.ended, table.asset, table.partition))
        ]


def run_days(shop: Shop, *names: str) -> str:
    keys = [dg.AssetKey(name.split("/")) for name in names]
    return shop.runner.run(keys, (LAST_DAYS[0], LAST_DAYS[-1])).run_id


def test_made_days_have_their_rows_and_times(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    run_id = run_days(shop, ORDERS, REVENUE)
    assert rows(shop) == [
        *((ORDERS, day, "made", None) for day in LAST_DAYS),
        *((REVENUE, day, "made", 3) for day in LAST_DAYS),
    ]
    with shop.metadata.transaction() as connection:
        (row, *_) = connection.execute(sa.select(partition_outcomes))
    assert row.run_id == run_id
    assert row.why == "backfill"
    assert row.started <= row.ended
    assert row.started.utcoffset() is not None


def test_failed_days_and_those_that_the_run_did_not_begin(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.broken = {"2025-01-04"}
    run_days(shop, ORDERS, REVENUE)
    assert sorted(rows(shop)) == [
        *((ORDERS, day, "failed", None) for day in LAST_DAYS),
        *((REVENUE, day, "left", None) for day in LAST_DAYS),
    ]


def test_days_whose_check_failed(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.wrong = {"2025-01-04"}
    run_days(shop, REVENUE)
    assert rows(shop) == [(REVENUE, day, "check failed", 3) for day in LAST_DAYS]


def test_the_sensor_records_runs_of_all_and_goes_on_where_it_stood(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home")
    shop = Shop(tmp_path)
    shop.runner.metadata = None  # as a run that somebody launched in the UI
    shop.metadata = metadata_database(settings)
    shop.build(METRICS, REGIONS)

    def tick(cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=shop.instance, cursor=cursor)
        return sensor(context, lakehouse=LakehouseResource(home=str(settings.home)))

    first = tick(None)
    assert first.skip_reason is not None
    assert first.skip_reason.skip_message == "recorded 4 runs"
    assert len(rows(shop)) == 7 + 7 + 2
    assert tick(first.cursor).skip_reason.skip_message == "no run has ended"
    assert tick(first.cursor).cursor == first.cursor
    shop.build(REGIONS, within=(None, None))
    second = tick(first.cursor)
    assert second.skip_reason.skip_message == "recorded 1 runs"
    assert second.cursor > first.cursor


def test_recording_twice_is_the_same(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    run_id = run_days(shop, ORDERS)
    assert record_missing(shop.instance, shop.metadata, [run_id]) == 0
    assert len(rows(shop)) == 3


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, "person"),
        ({WHY: "refresh"}, "refresh"),
        ({WHY: "changes", "dagster/backfill": "x", "dagster/sensor_name": "s"}, "changes"),
        ({"dagster/backfill": "x"}, "backfill"),
        ({"dagster/backfill": "x", "dagster/from_automation_condition": "true"}, "automation"),
        ({"dagster/from_automation_condition": "true", "dagster/sensor_name": "s"}, "automation"),
        ({"dagster/schedule_name": "nightly"}, "schedule"),
        ({"dagster/sensor_name": "shop_changes"}, "changes"),
    ],
)
def test_why_a_run_happened(tags: dict[str, str], expected: str) -> None:
    assert why(dg.DagsterRun(job_name="job", tags=tags)) == expected
