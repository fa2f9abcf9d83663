"""A test of severity error stops what is made of its model, in dbt and in Dagster; one of severity warn does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from lakehouse.defs.automation.plan import nodes_of
from lakehouse.defs.automation.stale import Stale, stale_nodes
from lakehouse.defs.resources import LakehouseResource
from lakehouse.defs.transformation.assets import project_assets
from lakehouse_tests.defs.transformation.conftest import write_project
from lakehouse_tests.warehouse import Warehouse, running_warehouse

pytestmark = pytest.mark.slow

DAYS = "partition_by: {column: day, start: 2025-01-01, end: 2025-01-03}"
PROJECT = {
    "models/sources.yml": f"""
        sources:
          - name: shop
            database: lake
            schema: bronze
            tables:
              - name: shop__orders
                config: {{meta: {{lakehouse: {{connection: shop, stream: orders, primary_key: [id], {DAYS}}}}}}}
        """,
    "models/models.yml": f"""
        models:
          - name: stg_orders
            config: {{meta: {{lakehouse: {{{DAYS}}}}}}}
            columns:
              - name: status
                data_tests:
                  - accepted_values: {{arguments: {{values: [good, odd]}}}}
                  - accepted_values:
                      name: nothing_odd
                      arguments: {{values: [good]}}
                      config: {{severity: warn}}
          - name: fct_orders
            config: {{meta: {{lakehouse: {{{DAYS}}}}}}}
        """,
    "models/staging/stg_orders.sql": """
        {{ config(materialized='incremental', partition_by=['day']) }}
        select id, day, status from {{ source('shop', 'shop__orders') }} where {{ in_window('day') }}
        """,
    "models/marts/fct_orders.sql": """
        {{ config(materialized='incremental', partition_by=['day']) }}
        select day, count(*) as orders from {{ ref('stg_orders') }} where {{ in_window('day') }} group by day
        """,
    "models/marts/all_orders.sql": "select sum(orders) as orders from {{ ref('fct_orders') }}",
}
STAGED, FACT, ALL = "silver/stg_orders", "gold/fct_orders", "gold/all_orders"
WINDOW = ("2025-01-01", "2025-01-02")


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with running_warehouse(tmp_path) as warehouse:
        yield warehouse


@pytest.fixture
def models(tmp_path: Path) -> list[dg.AssetsDefinition]:
    return project_assets(write_project(tmp_path / "project", PROJECT))


def orders(*statuses: str) -> pa.Table:
    days = [date(2025, 1, 1 + n % 2) for n in range(len(statuses))]
    return pa.table(
        {"id": range(len(statuses)), "day": pa.array(days, pa.date32()), "status": list(statuses)}
    )


def checks(done: dg.ExecuteInProcessResult) -> dict[str, Any]:
    return {
        check.check_name: (
            check.severity.name,
            check.metadata["dagster_dbt/failed_row_count"].value,
            check.description,
        )
        for check in done.get_asset_check_evaluations()
        if not check.passed
    }


def made(done: dg.ExecuteInProcessResult) -> set[str]:
    return {
        event.asset_key.to_user_string()
        for event in done.get_asset_materialization_events()
        if event.asset_key
    }


def test_errors_stop_the_layer_and_warnings_do_not(
    warehouse: Warehouse, models: list[dg.AssetsDefinition]
) -> None:
    nodes = nodes_of(dg.Definitions(assets=models, resources={"lakehouse": LakehouseResource()}))
    warehouse.land("shop__orders", orders("good", "odd", "good"))
    done = warehouse.build(models, STAGED, FACT, ALL, days=WINDOW)
    assert done.success
    assert checks(done) == {"nothing_odd": ("WARN", 1, "rows that fail: 1")}
    assert made(done) == {STAGED, FACT, ALL}
    assert warehouse.rows("gold", "all_orders") == [{"orders": 3}]
    assert stale_nodes(nodes, warehouse.instance) == {}
    gold = warehouse.rows("gold", "fct_orders")

    warehouse.land("shop__orders", orders("bad", "odd", "bad", "good", "worse"))
    done = warehouse.build(models, STAGED, FACT, ALL, days=WINDOW)
    assert not done.success
    assert checks(done) == {
        # accepted_values counts values, not rows
        "accepted_values_stg_orders_status__good__odd": ("ERROR", 2, "rows that fail: 2"),
        "nothing_odd": ("WARN", 3, "rows that fail: 3"),
    }
    assert made(done) == set()
    assert warehouse.rows("gold", "fct_orders") == gold
    assert warehouse.rows("gold", "all_orders") == [{"orders": 3}]
    # Nor does a later run build gold of it: silver is behind itself, and first.
    behind = stale_nodes(nodes, warehouse.instance)
    assert list(behind) == [dg.AssetKey(name.split("/")) for name in (STAGED, FACT, ALL)]
    assert behind[dg.AssetKey(STAGED.split("/"))] == Stale(frozenset(WINDOW))

    warehouse.land("shop__orders", orders("good", "good"))
    done = warehouse.build(models, STAGED, FACT, ALL, days=WINDOW)
    assert done.success
    assert checks(done) == {}
    assert warehouse.rows("gold", "all_orders") == [{"orders": 2}]
    assert stale_nodes(nodes, warehouse.instance) == {}
