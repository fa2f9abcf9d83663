"""Days built again on demand, and what a failure keeps from being built."""

from datetime import date

import dagster as dg
import pytest

from lakehouse.defs.automation.backfill import Range, backfill, chosen, every_day, failed_days
from lakehouse.defs.automation.execute import Runner
from lakehouse.defs.automation.plan import nodes_of
from lakehouse.defs.automation.refresh import Step
from lakehouse.errors import ConfigurationError

WEEK = dg.DailyPartitionsDefinition("2025-01-01", end_date="2025-01-08", timezone="UTC")
EVERYTHING = Range(None, None)
ALL_WEEK = Range(date(2025, 1, 1), date(2025, 1, 7))
LANDED, ORDERS, REVENUE = "landing/orders", "bronze/orders", "gold/revenue"
METRICS, REGIONS = "gold/metrics", "gold/regions"


class Shop:
    """orders -> revenue (by day) -> metrics; regions stand alone. `broken` days of orders fail."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        single = dg.BackfillPolicy.single_run()

        @dg.asset(key=LANDED.split("/"))
        def landed() -> None: ...

        @dg.asset(key=ORDERS.split("/"), partitions_def=WEEK, backfill_policy=single, deps=[landed])
        def orders(context: dg.AssetExecutionContext) -> None:
            if self.broken & set(context.partition_keys):
                raise dg.Failure("broken")

        @dg.asset(
            key=REVENUE.split("/"), partitions_def=WEEK, backfill_policy=single, deps=[orders], pool="dbt"
        )
        def revenue(context: dg.AssetExecutionContext) -> None: ...

        @dg.asset(key=METRICS.split("/"), deps=[revenue])
        def metrics() -> None: ...

        @dg.asset(key=REGIONS.split("/"))
        def regions() -> None: ...

        self.instance = dg.DagsterInstance.ephemeral()
        defs = dg.Definitions(
            assets=[landed, orders, revenue, metrics, regions], executor=dg.in_process_executor
        )
        self.runner = Runner(defs, self.instance, "backfill")
        self.nodes = nodes_of(defs)

    def build(self, *names: str, within: Range = ALL_WEEK, days_per_run: int = 366) -> list[str]:
        wanted = every_day(self.nodes, chosen(self.nodes, names, upstream=True), within, names)
        return [told(step) for step in backfill(self.runner, wanted, days_per_run=days_per_run)]

    def mend(self, *names: str, within: Range = EVERYTHING) -> list[str]:
        keys = chosen(self.nodes, names, upstream=True)
        wanted = failed_days(self.nodes, keys, within, self.instance)
        return [told(step) for step in backfill(self.runner, wanted, days_per_run=366)]


def told(step: Step) -> str:
    names = " ".join(key.path[-1] for key in step.keys)
    days = f" {step.window[0][-2:]}-{step.window[1][-2:]}" if step.window else ""
    return f"{names}{days}{'' if step.result.succeeded else ' failed'}"


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_range_is_one_run_and_landing_is_left_alone(shop: Shop) -> None:
    assert shop.build(METRICS) == ["orders 01-07", "revenue 01-07", "metrics"]
    assert shop.mend(METRICS) == []


def test_only_what_is_named_without_upstream(shop: Shop) -> None:
    key = dg.AssetKey(REVENUE.split("/"))
    assert chosen(shop.nodes, [REVENUE], upstream=False) == {key}


def test_more_days_than_a_run_may_take_are_several_runs(shop: Shop) -> None:
    assert shop.build(REVENUE, days_per_run=3) == [
        "orders 01-03",
        "orders 04-06",
        "orders 07-07",
        "revenue 01-03",
        "revenue 04-06",
        "revenue 07-07",
    ]


def test_what_is_made_of_a_failed_run_is_left_out_and_the_rest_is_built(shop: Shop) -> None:
    shop.broken = {"2025-01-04"}
    assert shop.build(METRICS, REGIONS, days_per_run=3) == [
        "regions",
        "orders 01-03",
        "orders 04-06 failed",
        "orders 07-07",
        "revenue 01-03",
        "revenue 07-07",
    ]


def test_failed_only_builds_the_failed_days_and_what_is_made_of_them(shop: Shop) -> None:
    shop.build(METRICS)
    shop.broken = {"2025-01-04"}
    shop.build(METRICS, within=Range(date(2025, 1, 3), date(2025, 1, 5)))
    assert shop.mend(METRICS) == ["orders 03-05 failed"]
    shop.broken = set()
    assert shop.mend(METRICS, within=Range(date(2025, 1, 6), None)) == []
    assert shop.mend(METRICS) == ["orders 03-05", "revenue 03-05", "metrics"]
    assert shop.mend(METRICS) == []


@pytest.mark.parametrize(
    ("names", "within", "what"),
    [
        (["gold/revenu"], ALL_WEEK, "did you mean gold/revenue"),
        ([LANDED], EVERYTHING, "lakehouse refresh"),
        ([REVENUE], EVERYTHING, "name the range with --from and --to"),
        ([REVENUE], Range(date(2026, 1, 1), None), "it has 2025-01-01 to 2025-01-07"),
        ([REGIONS], ALL_WEEK, "leave out --from and --to"),
    ],
)
def test_what_cannot_be_built_is_refused(shop: Shop, names: list[str], within: Range, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        shop.build(*names, within=within)


def test_runs_of_a_process_that_lives_are_not_closed(shop: Shop) -> None:
    from lakehouse.defs.automation.execute import PROCESS, STARTED_BY

    (step,) = shop.build(REGIONS, within=EVERYTHING) and shop.instance.get_runs(limit=1)
    alive = {STARTED_BY: "backfill", PROCESS: step.tags[PROCESS]}
    dead = {STARTED_BY: "backfill", PROCESS: step.tags[PROCESS] + "1"}
    for tags in (alive, dead):
        run = shop.instance.create_run_for_job(
            shop.runner.defs.resolve_implicit_global_asset_job_def(), tags=tags
        )
        shop.instance.report_engine_event("begins", run)
        shop.instance.report_dagster_event(_start(run), run.run_id)
    assert shop.runner.close_dead_runs() == 1


def _start(run: dg.DagsterRun) -> dg.DagsterEvent:
    return dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name)
