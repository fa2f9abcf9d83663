"""Figures of two datasets are held against each other, and one that is ahead is no failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import dagster as dg
import pyarrow as pa
import pytest

from lakehouse.catalog.datasets import Catalog, Model
from lakehouse.catalog.meta import PartitionBy, Reconciliation
from lakehouse.defs.checks import reconcile
from lakehouse.defs.checks.reconcile import NAME
from lakehouse.defs.metadata import CHANGED
from lakehouse_tests.defs.checks.conftest import ORDERS, gold, look_at, numbers, order, outcome
from lakehouse_tests.warehouse import Warehouse

pytestmark = pytest.mark.slow
FIRST, SECOND = date(2025, 1, 1), date(2025, 1, 2)
DAYS = PartitionBy(column="order_date", start=FIRST)
REVENUE = Reconciliation(other="bronze/shop/orders", ours="sum(revenue)", theirs="sum(amount)")
ROWS = Reconciliation(other="bronze/shop/orders", ours="sum(orders)", theirs="count(*)")


@pytest.fixture
def daily(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Three orders of two days in bronze, and their days in gold: the first is right, the second lacks 10."""
    rows = [order(1, FIRST, 5.0), order(2, SECOND, 20.0), order(3, SECOND, 30.25)]
    schema = pa.schema({"order_id": pa.int64(), "order_date": pa.date32(), "amount": pa.float64()})
    warehouse.land("shop__orders", pa.Table.from_pylist(rows, schema=schema))
    fill(warehouse, "40.25")
    model = gold("fct_daily", partition_by=DAYS, reconcile=(REVENUE, ROWS))
    catalog = Catalog((ORDERS,), (model,), ())
    monkeypatch.setattr(reconcile, "declared_datasets", lambda: catalog)
    return model


def fill(warehouse: Warehouse, second_revenue: str) -> None:
    warehouse.engine.rows("drop table if exists lake.gold.fct_daily")
    warehouse.engine.rows(
        "create table lake.gold.fct_daily as"
        " select date '2025-01-01' as order_date, cast(5 as decimal(18, 2)) as revenue, 1 as orders union all"
        f" select date '2025-01-02', cast({second_revenue} as decimal(18, 2)), 2"
    )


def test_a_figure_that_differs_is_told_with_both(warehouse: Warehouse, daily: Model) -> None:
    check = look_at(warehouse, daily)[NAME]
    assert outcome(check) == "ERROR"
    told = "sum(revenue) is 45.25, and sum(amount) of bronze/shop/orders is 55.25, -10.00 apart"
    assert check.description == told
    figures = numbers(check)["figures"]
    assert [line["outcome"] for line in figures] == ["differs", "agrees"]
    assert (figures[1]["ours"], figures[1]["theirs"], figures[1]["days"]) == ("3", "3", "all")
    assert numbers(check)["largest_difference"] == 10
    fill(warehouse, "50.25")
    check = look_at(warehouse, daily)[NAME]
    assert (outcome(check), numbers(check)["largest_difference"]) == ("PASS", 0)


def test_a_run_of_days_compares_these_days(warehouse: Warehouse, daily: Model) -> None:
    first = look_at(warehouse, daily, (str(FIRST), str(FIRST)))[NAME]
    assert outcome(first) == "PASS"
    assert numbers(first)["figures"][0]["ours"] == "5.00"
    assert outcome(look_at(warehouse, daily, (str(FIRST), str(SECOND)))[NAME]) == "ERROR"
    unpartitioned = replace(daily, partition_by=None)  # has no days: everything is compared
    assert outcome(look_at(warehouse, unpartitioned, (str(FIRST), str(FIRST)))[NAME]) == "ERROR"


def test_days_without_rows_agree(warehouse: Warehouse, daily: Model) -> None:
    check = look_at(warehouse, daily, ("2025-02-01", "2025-02-02"))[NAME]
    assert (outcome(check), numbers(check)["figures"][0]["theirs"]) == ("PASS", "0")


def test_a_tolerance_is_allowed(warehouse: Warehouse, daily: Model) -> None:
    for tolerance, found in ((9.99, "ERROR"), (10, "PASS")):
        allowed = REVENUE.model_copy(update={"tolerance": tolerance})
        assert outcome(look_at(warehouse, replace(daily, reconcile=(allowed,)))[NAME]) == found


def test_what_has_moved_on_is_not_comparable(warehouse: Warehouse, daily: Model) -> None:
    """Bronze is merged every few seconds; gold is held against it by the run that read it."""
    key = dg.AssetKey(daily.key)

    def bronze(changed: int, day: date) -> None:
        event = dg.AssetMaterialization(
            dg.AssetKey(ORDERS.key), partition=str(day), metadata={CHANGED: changed}
        )
        warehouse.instance.report_runless_asset_event(event)

    bronze(1, SECOND)

    @dg.asset(key=key)
    def build() -> None: ...

    dg.materialize([build], instance=warehouse.instance)
    of_second = (str(SECOND), str(SECOND))
    bronze(0, SECOND)
    bronze(5, FIRST)
    assert outcome(look_at(warehouse, daily, of_second)[NAME]) == "ERROR"
    bronze(5, SECOND)
    check = look_at(warehouse, daily, of_second)[NAME]
    assert outcome(check) == "PASS"
    assert "which has changed since" in (check.description or "")
    assert numbers(check)["figures"][0]["outcome"] == "not comparable"
    assert numbers(check)["largest_difference"] == 10
