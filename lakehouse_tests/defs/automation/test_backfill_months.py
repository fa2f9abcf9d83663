"""Months that are made of days, built again, and what a failed day keeps from being built."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import dagster as dg

from lakehouse.catalog.meta import PartitionBy
from lakehouse.defs.automation.backfill import Range, backfill, chosen, every_day, failed_days
from lakehouse.defs.automation.execute import Runner
from lakehouse.defs.automation.plan import nodes_of
from lakehouse.defs.automation.stale import Stale
from lakehouse.defs.automation.why import Why
from lakehouse.defs.partitions import partitions_of
from lakehouse.observability.metadata.database import MetadataDatabase

ORDERS, REVENUE = "bronze/orders", "gold/revenue"


def test_months_of_days_that_failed_are_left_out(tmp_path: Path) -> None:
    single = dg.BackfillPolicy.single_run()
    days = dg.DailyPartitionsDefinition("2025-01-01", end_date="2025-04-01", timezone="UTC")
    months = partitions_of(
        PartitionBy(column="month", granularity="month", start=date(2025, 1, 1), end=date(2025, 4, 1))
    )
    broken = {"2025-02-03"}

    @dg.asset(key=ORDERS.split("/"), partitions_def=days, backfill_policy=single)
    def orders(context: dg.AssetExecutionContext) -> None:
        if broken & set(context.partition_keys):
            raise dg.Failure("broken")

    @dg.asset(key=REVENUE.split("/"), partitions_def=months, backfill_policy=single, deps=[orders])
    def revenue(context: dg.AssetExecutionContext) -> None: ...

    defs = dg.Definitions(assets=[orders, revenue], executor=dg.in_process_executor)
    metadata = MetadataDatabase(f"sqlite:///{tmp_path}/metadata.db")
    runner = Runner(defs, dg.DagsterInstance.ephemeral(), "backfill", why=Why.BACKFILL, metadata=metadata)
    nodes = nodes_of(defs)
    keys = chosen(nodes, [REVENUE], upstream=True)
    within = Range(date(2025, 1, 30), date(2025, 3, 2))

    def windows(wanted: Mapping[dg.AssetKey, Stale]) -> list[tuple[str, tuple[str, str] | None, bool]]:
        return [
            (step.keys[0].path[-1], step.window, step.result.succeeded)
            for step in backfill(runner, wanted, days_per_run=3)
        ]

    done = windows(every_day(nodes, keys, within, [REVENUE]))
    assert ("orders", ("2025-02-02", "2025-02-04"), False) in done
    assert [step for step in done if step[0] == "revenue"] == [
        ("revenue", ("2025-01", "2025-01"), True),
        ("revenue", ("2025-03", "2025-03"), True),
    ]
    broken.clear()
    assert windows(failed_days(nodes, keys, within, runner.instance, metadata)) == [
        ("orders", ("2025-02-02", "2025-02-04"), True),
        ("revenue", ("2025-02", "2025-02"), True),
    ]
