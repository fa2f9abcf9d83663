"""Data is as new as its newest row, whatever was built when."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pyarrow as pa
import pytest
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.freshness_evaluator import TimeWindowFreshnessPolicyEvaluator
from dagster._core.loader import LoadingContextForTest

from lakehouse.catalog.meta import Freshness, PartitionBy
from lakehouse.defs.bronze.assets import bronze_asset
from lakehouse.defs.checks import current
from lakehouse.defs.partitions import partitions_of
from lakehouse_tests.defs.checks.conftest import FIELDS, ORDERS, Orders, checks_of, numbers, order, outcome

pytestmark = pytest.mark.slow
CHECK = "data_is_current"
TODAY = datetime.now(UTC).date()
ALL_AT_ONCE = dg.BackfillPolicy.single_run()
KEY = dg.AssetKey(ORDERS.key)
# The promise of bronze/shop/orders in the project: a warning after a day, a failure after two.


def policy_state(graph: dg.Definitions, instance: dg.DagsterInstance) -> FreshnessState:
    """What Dagster's daemon makes of the asset's policy."""
    node = graph.resolve_asset_graph().get(KEY)
    evaluated = TimeWindowFreshnessPolicyEvaluator().evaluate_freshness(LoadingContextForTest(instance), node)
    return asyncio.run(evaluated)


def test_an_old_day_built_again_makes_the_dataset_fresh_and_its_data_no_newer(
    orders: Orders, graph: dg.Definitions
) -> None:
    old, newest = TODAY - timedelta(40), TODAY - timedelta(10)
    orders.land(order(1, old), order(2, newest))
    assert outcome(orders.merge(newest)[CHECK]) == "ERROR"

    orders.land(order(1, old, amount=2.0))
    check = orders.merge(old)[CHECK]
    assert policy_state(graph, orders.instance) is FreshnessState.PASS
    assert outcome(check) == "ERROR"
    told = numbers(check)
    assert told["newest"] == str(newest)
    assert timedelta(days=9) <= timedelta(seconds=told["age_seconds"]) < timedelta(days=10)
    assert (told["warn_after_seconds"], told["fail_after_seconds"]) == (86400, 2 * 86400)
    assert check.description
    assert check.description.startswith(f"the newest order_date is {newest}, 9 days, ")

    orders.land(order(3, TODAY))
    assert outcome(orders.merge(TODAY)[CHECK]) == "PASS"


@pytest.mark.parametrize(
    ("age", "found"), [(0, "PASS"), (1, "PASS"), (2, "WARN"), (4, "ERROR"), (-1, "PASS"), (-9, "WARN")]
)
def test_a_day_is_new_until_it_is_over(orders: Orders, age: int, found: str) -> None:
    day = TODAY - timedelta(age)
    orders.land(order(1, day))
    check = orders.merge(TODAY)[CHECK]
    assert outcome(check) == found
    assert ("in the future" in (check.description or "")) == (age < -1)


def test_a_complete_data_set_does_not_grow_old_but_may_lack_its_end(orders: Orders) -> None:
    whole = replace(
        ORDERS, partition_by=PartitionBy(column="order_date", start="2025-01-01", end="2025-02-01")
    )
    orders.land(order(1, date(2025, 1, 15)))
    check = orders.merge(date(2025, 1, 15), whole)[CHECK]
    assert outcome(check) == "ERROR"
    assert numbers(check)["age_seconds"] == 16 * 86400
    orders.land(order(2, date(2025, 1, 31)))
    check = orders.merge(date(2025, 1, 31), whole)[CHECK]
    assert outcome(check) == "PASS"
    assert numbers(check)["age_seconds"] == 0


def test_another_column_may_tell(orders: Orders) -> None:
    """The commit time of the newest change, of a table whose newest day says nothing."""
    by_commit = Freshness(fail_after="1h", column="changed_at")
    table = replace(ORDERS, freshness=by_commit)
    fields = FIELDS | {"changed_at": pa.timestamp("us", "UTC")}
    old = TODAY - timedelta(40)
    orders.land(order(1, old) | {"changed_at": datetime.now(UTC) - timedelta(days=3)}, fields=fields)
    check = orders.merge(old, table)[CHECK]
    assert (outcome(check), numbers(check)["column"]) == ("ERROR", "changed_at")
    orders.land(order(2, old) | {"changed_at": datetime.now(UTC)}, fields=fields)
    assert outcome(orders.merge(old, table)[CHECK]) == "PASS"


def test_what_has_no_point_in_time_is_said(orders: Orders) -> None:
    orders.land(order(1, TODAY))
    for column, why in (("amount", "is double: no point in time"), ("nothing", "has no column nothing")):
        table = replace(ORDERS, freshness=Freshness(fail_after="1h", column=column))
        check = orders.merge(TODAY, table)[CHECK]
        assert outcome(check) == "ERROR"
        assert why in (check.description or "")


def test_what_is_downstream_does_not_wait_for_checks(orders: Orders) -> None:
    orders.land(order(1, TODAY))

    @dg.asset(deps=[KEY], partitions_def=partitions_of(ORDERS.partition_by), backfill_policy=ALL_AT_ONCE)
    def report() -> None: ...

    done = orders.run(TODAY, [checks_of(ORDERS), report, bronze_asset(ORDERS)])
    steps = [event.step_key for event in done.all_events if event.event_type_value == "STEP_START"]
    assert steps == ["merge_shop_orders", "report", "check_test"]


def test_a_table_that_is_not_there_is_said(orders: Orders) -> None:
    check = orders.merge(TODAY)[CHECK]
    assert outcome(check) == "ERROR"
    assert check.description == "lake.bronze.shop__orders: there is no such table yet; materialize it"


def test_a_month_is_new_until_it_is_over() -> None:
    months = PartitionBy(column="month", granularity="month", start=date(2025, 1, 1))
    table = replace(ORDERS, partition_by=months)
    for now, found in (("2025-03-31", True), ("2025-04-01", True), ("2025-04-04", False)):
        facts = current._judged(table, "month", date(2025, 3, 1), datetime.fromisoformat(f"{now}T12:00:00Z"))
        assert facts["passed"] == found, now
    facts = current._judged(table, "updated_on", date(2025, 3, 1), datetime(2025, 3, 31, tzinfo=UTC))
    assert not facts["passed"]
