"""Hours, months, business days and lookbacks on a real engine; any window built any number of times, in any order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from lakehouse.defs.automation.plan import nodes_of
from lakehouse.defs.automation.stale import Stale, stale_nodes
from lakehouse.defs.resources import LakehouseResource
from lakehouse.defs.transformation.assets import project_assets
from lakehouse.lake.table_files import current_files
from lakehouse_tests.defs.transformation.conftest import write_project
from lakehouse_tests.warehouse import Warehouse, running_warehouse

pytestmark = pytest.mark.slow

DAYS = "partition_by: {column: day, start: 2025-01-01, end: 2025-03-01}"
KEYS = "connection: shop, primary_key: [id]"
PROJECT = {
    "models/sources.yml": f"""
        sources:
          - name: shop
            database: lake
            schema: bronze
            tables:
              - name: shop__events
                config: {{meta: {{lakehouse: {{{KEYS}, stream: events, {DAYS}}}}}}}
              - name: shop__clicks
                config: {{meta: {{lakehouse: {{{KEYS}, stream: clicks}}}}}}
        """,
    "models/models.yml": f"""
        models:
          - name: stg_events
            config: {{meta: {{lakehouse: {{{DAYS}}}}}}}
            columns: [{{name: day, data_type: date}}]
          - name: by_hour
            config:
              meta:
                lakehouse:
                  partition_by: {{column: at_hour, granularity: hour, start: 2025-02-09, end: 2025-02-12}}
            columns: [{{name: at_hour, data_type: timestamp}}]
          - name: by_month
            config:
              meta:
                lakehouse:
                  partition_by: {{column: month_start, granularity: month, start: 2025-01-01, end: 2025-03-01}}
            columns: [{{name: month_start, data_type: date}}]
          - name: moving
            config: {{meta: {{lakehouse: {{{DAYS}, lookback: 2d}}}}}}
            columns: [{{name: day, data_type: date}}]
          - name: business_days
            config:
              meta:
                lakehouse:
                  partition_by: {{column: local_day, start: 2025-03-28, end: 2025-04-02, timezone: Europe/Berlin}}
            columns: [{{name: local_day, data_type: date}}]
        """,
    "models/staging/stg_events.sql": """
        {{ config(materialized='incremental', partition_by=['day']) }}
        select id, day, happened_at, amount from {{ source('shop', 'shop__events') }} where {{ in_window('day') }}
        """,
    "models/marts/by_hour.sql": """
        {{ config(materialized='incremental', partition_by=['at_hour']) }}
        select date_trunc('hour', happened_at) as at_hour, count(*) as events, sum(amount) as amount
        from {{ ref('stg_events') }} where {{ in_window('happened_at') }} group by date_trunc('hour', happened_at)
        """,
    "models/marts/by_month.sql": """
        {{ config(materialized='incremental', partition_by=['month_start']) }}
        select cast(date_trunc('month', day) as date) as month_start, count(*) as events, sum(amount) as amount
        from {{ ref('stg_events') }} where {{ in_window('day') }} group by date_trunc('month', day)
        """,
    "models/marts/moving.sql": """
        {{ config(materialized='incremental', partition_by=['day']) }}
        with daily as (
            select day, sum(amount) as amount from {{ ref('stg_events') }}
            where {{ in_window('day', lookback=true) }} group by day
        ), moving as (
            select day, sum(amount) over (order by day rows between 2 preceding and current row) as amount from daily
        )
        select day, amount from moving where {{ in_window('day') }}
        """,
    "models/marts/business_days.sql": """
        {{ config(materialized='incremental', partition_by=['local_day']) }}
        select local_day, count(*) as clicks from {{ source('shop', 'shop__clicks') }}
        where {{ in_window('clicked_at', 'timestamp') }} group by local_day
        """,
}
STAGED, HOURS, MONTHS = "silver/stg_events", "gold/by_hour", "gold/by_month"
MOVING, BUSINESS = "gold/moving", "gold/business_days"
FIRST, END = date(2025, 1, 1), date(2025, 3, 1)
EVERYTHING = {
    STAGED: ("2025-01-01", "2025-02-28"),
    HOURS: ("2025-02-09-00:00", "2025-02-11-23:00"),
    MONTHS: ("2025-01", "2025-02"),
    MOVING: ("2025-01-01", "2025-02-28"),
}


def events() -> list[dict[str, Any]]:
    """Three a day, at 0, 5 and 23 o'clock."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(days=day, hours=hour) for day in range(59) for hour in (0, 5, 23)]
    return [
        {"id": n, "day": at.date(), "happened_at": at, "amount": n * n % 101} for n, at in enumerate(moments)
    ]


def landed(rows: list[dict[str, Any]]) -> pa.Table:
    fields = [
        ("id", pa.int64()),
        ("day", pa.date32()),
        ("happened_at", pa.timestamp("us", "UTC")),
        ("amount", pa.int64()),
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[dg.AssetsDefinition]:
    return project_assets(write_project(tmp_path_factory.mktemp("periods") / "project", PROJECT))


@pytest.fixture(scope="module")
def warehouse(
    tmp_path_factory: pytest.TempPathFactory, models: list[dg.AssetsDefinition]
) -> Iterator[Warehouse]:
    """Everything built once."""
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as warehouse:
        warehouse.land("shop__events", landed(events()))
        for name, days in EVERYTHING.items():
            assert warehouse.build(models, name, days=days).success, name
        yield warehouse


def digests(warehouse: Warehouse) -> dict[str, str]:
    return {name: warehouse.digest(*name.split("/")) for name in EVERYTHING}


def partition_rows(warehouse: Warehouse, name: str) -> dict[str, int]:
    """Rows by partition as the newest events tell."""
    key = dg.AssetKey(name.split("/"))
    found = {}
    for record in warehouse.instance.fetch_materializations(key, limit=5000, ascending=True).records:
        if record.asset_materialization and record.partition_key:
            told = record.asset_materialization.metadata["dagster/partition_row_count"].value
            found[record.partition_key] = int(str(told))
    return found


def test_every_period_has_its_rows(warehouse: Warehouse) -> None:
    rows = events()
    hours = {row["at_hour"]: (row["events"], row["amount"]) for row in warehouse.rows("gold", "by_hour")}
    of_hours = [row for row in rows if date(2025, 2, 9) <= row["day"] <= date(2025, 2, 11)]
    assert hours == {row["happened_at"].replace(tzinfo=None): (1, row["amount"]) for row in of_hours}
    months = {
        row["month_start"]: (row["events"], row["amount"]) for row in warehouse.rows("gold", "by_month")
    }
    assert months == {
        date(2025, month, 1): (len(inside), sum(row["amount"] for row in inside))
        for month in (1, 2)
        for inside in [[row for row in rows if row["day"].month == month]]
    }
    counted = partition_rows(warehouse, HOURS)
    assert len(counted) == 3 * 24
    assert (counted["2025-02-11-05:00"], counted["2025-02-11-06:00"]) == (1, 0)
    assert partition_rows(warehouse, MONTHS) == {"2025-01": 1, "2025-02": 1}
    # Iceberg's partitions of it are values of a timestamp, which are no periods to the lake.
    files = current_files(warehouse.catalog.load_table(("gold", "by_hour")))
    assert {file.day for file in files} == {None}


def test_a_lookback_reads_before_the_window_and_writes_the_window(
    warehouse: Warehouse, models: list[dg.AssetsDefinition]
) -> None:
    daily: dict[date, int] = {}
    for row in events():
        daily[row["day"]] = daily.get(row["day"], 0) + row["amount"]
    expected = {day: sum(daily.get(day - timedelta(days=n), 0) for n in range(3)) for day in daily}
    before = warehouse.digest("gold", "moving")
    assert warehouse.build(models, MOVING, days=("2025-02-10", "2025-02-10")).success
    assert {row["day"]: row["amount"] for row in warehouse.rows("gold", "moving")} == expected
    assert warehouse.digest("gold", "moving") == before
    assert warehouse.build(models, MOVING, full_refresh=True, days=("2025-02-10", "2025-02-10")).success
    assert warehouse.digest("gold", "moving") == before


def test_windows_built_again_in_any_order_give_the_same_rows(
    warehouse: Warehouse, models: list[dg.AssetsDefinition]
) -> None:
    before = digests(warehouse)
    windows = [
        (STAGED, "2025-01-10", "2025-01-20"),
        (STAGED, "2025-01-15", "2025-02-15"),  # overlaps
        (HOURS, "2025-02-09-22:00", "2025-02-11-03:00"),
        (MONTHS, "2025-02", "2025-02"),
        (MOVING, "2025-01-10", "2025-01-20"),
    ]
    random.Random(7).shuffle(windows)
    for repeat in range(3):
        for name, first, last in windows if repeat != 1 else reversed(windows):
            assert warehouse.build(models, name, days=(first, last)).success
        assert digests(warehouse) == before


def test_business_days_are_those_of_their_time_zone(
    warehouse: Warehouse, models: list[dg.AssetsDefinition]
) -> None:
    """A click at each local midnight and the second before, over the day of 23 hours."""
    midnights = {date(2025, 3, 29): 23, date(2025, 3, 30): 23, date(2025, 3, 31): 22, date(2025, 4, 1): 22}
    rows = []
    for day, hour in midnights.items():
        at = datetime.combine(day - timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=hour)
        rows += [(at, day), (at - timedelta(seconds=1), day - timedelta(days=1))]
    warehouse.land(
        "shop__clicks",
        pa.table(
            {
                "clicked_at": pa.array([at for at, _ in rows], pa.timestamp("us", "UTC")),
                "local_day": pa.array([day for _, day in rows], pa.date32()),
            }
        ),
    )
    for days in (("2025-03-28", "2025-04-01"), ("2025-03-30", "2025-03-30"), ("2025-03-31", "2025-04-01")):
        assert warehouse.build(models, BUSINESS, days=days).success
        assert {row["local_day"]: row["clicks"] for row in warehouse.rows("gold", "business_days")} == {
            date(2025, 3, 28): 1,
            date(2025, 3, 29): 2,
            date(2025, 3, 30): 2,
            date(2025, 3, 31): 2,
            date(2025, 4, 1): 1,
        }
    assert partition_rows(warehouse, BUSINESS)["2025-03-30"] == 1


def test_a_changed_day_makes_the_periods_stale_that_read_it(
    warehouse: Warehouse, models: list[dg.AssetsDefinition]
) -> None:
    nodes = nodes_of(dg.Definitions(assets=models, resources={"lakehouse": LakehouseResource()}))
    del nodes[dg.AssetKey(BUSINESS.split("/"))]
    for name, days in EVERYTHING.items():  # events of all partitions, in the order of the graph
        assert warehouse.build(models, name, days=days).success
    assert stale_nodes(nodes, warehouse.instance) == {}
    changed = [{**row, "amount": 1000} if row["day"] == date(2025, 2, 10) else row for row in events()]
    warehouse.land("shop__events", landed(changed))
    assert warehouse.build(models, STAGED, days=("2025-02-10", "2025-02-10")).success
    assert stale_nodes(nodes, warehouse.instance) == {
        dg.AssetKey(HOURS.split("/")): Stale(frozenset(f"2025-02-10-{hour:02}:00" for hour in range(24))),
        dg.AssetKey(MONTHS.split("/")): Stale(frozenset({"2025-02"})),
        dg.AssetKey(MOVING.split("/")): Stale(frozenset({"2025-02-10", "2025-02-11", "2025-02-12"})),
    }
