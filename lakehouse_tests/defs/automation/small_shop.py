"""A graph that can be made to fail, with the history of its own; as a script, a backfill that is killed half-way."""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg

from lakehouse.defs.automation.backfill import Range, backfill, chosen, every_day, failed_days
from lakehouse.defs.automation.execute import Runner
from lakehouse.defs.automation.plan import nodes_of
from lakehouse.defs.automation.refresh import Step
from lakehouse.defs.automation.why import Why
from lakehouse.observability.metadata.database import MetadataDatabase

WEEK = dg.DailyPartitionsDefinition("2025-01-01", end_date="2025-01-08", timezone="UTC")
EVERYTHING = Range(None, None)
ALL_WEEK = Range(date(2025, 1, 1), date(2025, 1, 7))
LANDED, ORDERS, REVENUE = "landing/orders", "bronze/orders", "gold/revenue"
METRICS, REGIONS = "gold/metrics", "gold/regions"


class Shop:
    """orders -> revenue (by day, tested) -> metrics; regions stand alone.

    `broken` days of orders fail; on `wrong` days the test of revenue does, which fails its op as dbt's do; and on
    `deadly` days of orders the process is killed.
    """

    def __init__(self, folder: Path, instance: dg.DagsterInstance | None = None) -> None:
        self.broken: set[str] = set()
        self.wrong: set[str] = set()
        self.deadly: set[str] = set()
        single = dg.BackfillPolicy.single_run()

        @dg.asset(key=LANDED.split("/"))
        def landed() -> None: ...

        @dg.asset(key=ORDERS.split("/"), partitions_def=WEEK, backfill_policy=single, deps=[landed])
        def orders(context: dg.AssetExecutionContext) -> None:
            if self.deadly & set(context.partition_keys):
                os.kill(os.getpid(), signal.SIGKILL)
            if self.broken & set(context.partition_keys):
                raise dg.Failure("broken")

        key = dg.AssetKey(REVENUE.split("/"))

        @dg.multi_asset(
            specs=[dg.AssetSpec(key, deps=[orders])],
            check_specs=[dg.AssetCheckSpec("positive", asset=key)],
            partitions_def=WEEK,
            backfill_policy=single,
            pool="dbt",
        )
        def revenue(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
            passed = not self.wrong & set(context.partition_keys)
            for day in context.partition_keys:
                context.add_asset_metadata({"dagster/partition_row_count": 3}, key, partition_key=day)
            results = [dg.AssetCheckResult(passed=passed, check_name="positive", asset_key=key)]
            yield dg.MaterializeResult(asset_key=key, check_results=results)
            if not passed:
                raise dg.Failure("dbt: positive failed", allow_retries=False)

        @dg.asset(key=METRICS.split("/"), deps=[key])
        def metrics() -> None: ...

        @dg.asset(key=REGIONS.split("/"))
        def regions() -> None: ...

        self.instance = instance or dg.DagsterInstance.ephemeral()
        self.metadata = MetadataDatabase(f"sqlite:///{folder}/metadata.db")
        defs = dg.Definitions(
            assets=[landed, orders, revenue, metrics, regions], executor=dg.in_process_executor
        )
        self.runner = Runner(defs, self.instance, "backfill", why=Why.BACKFILL, metadata=self.metadata)
        self.nodes = nodes_of(defs)

    def build(self, *names: str, within: Range = ALL_WEEK, days_per_run: int = 366) -> list[str]:
        wanted = every_day(self.nodes, chosen(self.nodes, names, upstream=True), within, names)
        return [told(step) for step in backfill(self.runner, wanted, days_per_run=days_per_run)]

    def mend(self, *names: str, within: Range = EVERYTHING) -> list[str]:
        keys = chosen(self.nodes, names, upstream=True)
        wanted = failed_days(self.nodes, keys, within, self.instance, self.metadata)
        return [told(step) for step in backfill(self.runner, wanted, days_per_run=366)]


def told(step: Step) -> str:
    names = " ".join(key.path[-1] for key in step.keys)
    days = f" {step.window[0][-2:]}-{step.window[1][-2:]}" if step.window else ""
    return f"{names}{days}{'' if step.result.succeeded else ' failed'}"


if __name__ == "__main__":
    home = Path(sys.argv[1])
    shop = Shop(home, dg.DagsterInstance.local_temp(str(home)))
    shop.deadly = {sys.argv[2]}
    shop.build(METRICS, days_per_run=3)
