"""`lakehouse backfill --failed-only` after a dbt test of error severity: real dbt, a real engine, real history."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from lakehouse.defs.automation.backfill import Range, backfill, chosen, every_day, failed_days
from lakehouse.defs.automation.execute import Runner
from lakehouse.defs.automation.plan import nodes_of
from lakehouse.defs.automation.why import Why
from lakehouse.defs.resources import LakehouseResource
from lakehouse.defs.transformation.assets import project_assets
from lakehouse.observability.metadata.database import metadata_database
from lakehouse.observability.metadata.tables import dbt_run_history, partition_outcomes
from lakehouse_tests.defs.transformation.conftest import write_project
from lakehouse_tests.defs.transformation.test_blocking import ALL, FACT, PROJECT, STAGED, orders
from lakehouse_tests.warehouse import running_warehouse

pytestmark = pytest.mark.slow

BOTH_DAYS = Range(date(2025, 1, 1), date(2025, 1, 2))
NAMES = [STAGED, FACT, ALL]


def test_what_a_failed_test_kept_from_being_made_is_built_once_it_passes(tmp_path: Path) -> None:
    models = project_assets(write_project(tmp_path / "project", PROJECT))
    with running_warehouse(tmp_path) as warehouse:
        defs = dg.Definitions(
            assets=models,
            resources={"lakehouse": LakehouseResource(home=str(warehouse.home))},
            executor=dg.in_process_executor,
        )
        metadata = metadata_database(warehouse.settings)
        runner = Runner(defs, warehouse.instance, "backfill", why=Why.BACKFILL, metadata=metadata)
        nodes = nodes_of(defs)
        keys = chosen(nodes, NAMES, upstream=False)

        def mend() -> list[tuple[set[str], tuple[str, str] | None, bool]]:
            wanted = failed_days(nodes, keys, Range(None, None), warehouse.instance, metadata)
            return [
                ({key.path[-1] for key in step.keys}, step.window, step.result.succeeded)
                for step in backfill(runner, wanted, days_per_run=366)
            ]

        warehouse.land("shop__orders", orders("good", "good"))
        everything = every_day(nodes, keys, BOTH_DAYS, NAMES)
        assert all(step.result.succeeded for step in backfill(runner, everything, days_per_run=366))
        assert mend() == []

        warehouse.land("shop__orders", orders("good", "bad", "good"))
        steps = list(backfill(runner, everything, days_per_run=366))
        assert [step.result.succeeded for step in steps] == [False]
        window = ("2025-01-01", "2025-01-02")
        assert mend() == [({"stg_orders", "fct_orders"}, window, False)]
        warehouse.land("shop__orders", orders("good", "good", "good"))
        assert mend() == [({"stg_orders", "fct_orders"}, window, True), ({"all_orders"}, None, True)]
        assert mend() == []
        assert warehouse.rows("gold", "all_orders") == [{"orders": 3}]

    with metadata.transaction() as connection:
        table = partition_outcomes.c
        found = connection.execute(
            sa.select(table.asset, table.outcome, sa.func.count()).group_by(table.asset, table.outcome)
        )
        assert {tuple(row) for row in found} == {
            (STAGED, "made", 4), (STAGED, "check failed", 4),
            (FACT, "made", 4), (FACT, "failed", 4),
            (ALL, "made", 2), (ALL, "left", 2),
        }  # fmt: skip
        invocations = connection.execute(
            sa.select(dbt_run_history).order_by(dbt_run_history.c.started_at)
        ).all()
    assert [row.status for row in invocations] == [
        "success",
        "success",
        "failed",
        "failed",
        "success",
        "success",
    ]
    assert [row.models_run for row in invocations] == [2, 1, 1, 1, 2, 1]
    assert {row.metadata["why"] for row in invocations} == {"backfill"}
    assert "accepted_values" in invocations[2].metadata["failures"][0]
