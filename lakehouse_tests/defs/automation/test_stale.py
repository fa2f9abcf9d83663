"""What is behind, told from the events of an instance."""

from datetime import date

import dagster as dg
import pytest

from lakehouse.catalog.meta import PartitionBy
from lakehouse.defs.automation.plan import Mapped, Node, nodes_of
from lakehouse.defs.automation.refresh import windows
from lakehouse.defs.automation.stale import Stale, stale_nodes
from lakehouse.defs.metadata import CHANGED
from lakehouse.defs.partitions import partitions_of

WEEK = dg.DailyPartitionsDefinition("2025-01-01", end_date="2025-01-08", timezone="UTC")
ORDERS, CUSTOMERS = dg.AssetKey(["bronze", "orders"]), dg.AssetKey(["bronze", "customers"])
REVENUE, METRICS = dg.AssetKey(["gold", "revenue"]), dg.AssetKey(["gold", "metrics"])
FIRST, SECOND = "2025-01-01", "2025-01-02"


@pytest.fixture
def nodes() -> dict[dg.AssetKey, Node]:
    """Orders and revenue have days; metrics are made of revenue and of customers."""
    return {
        ORDERS: Node(ORDERS, frozenset(), WEEK, None),
        CUSTOMERS: Node(CUSTOMERS, frozenset(), None, None),
        REVENUE: Node(REVENUE, frozenset({ORDERS}), WEEK, "dbt_days"),
        METRICS: Node(METRICS, frozenset({REVENUE, CUSTOMERS}), None, "dbt"),
    }


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def tell(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    *days: str,
    changed: int | None = None,
    code: str | None = None,
) -> None:
    """Materialization events, of an asset or of its days."""
    for day in days or (None,):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key,
                partition=day,
                metadata={} if changed is None else {CHANGED: changed},
                tags={"dagster/code_version": code} if code else None,
            )
        )


def built(instance: dg.DagsterInstance) -> None:
    tell(instance, CUSTOMERS, changed=3)
    tell(instance, ORDERS, FIRST, SECOND, changed=5)
    tell(instance, REVENUE, FIRST, SECOND)
    tell(instance, METRICS)


def test_what_was_never_made_is_behind(nodes: dict[dg.AssetKey, Node], instance: dg.DagsterInstance) -> None:
    tell(instance, CUSTOMERS, changed=3)
    tell(instance, ORDERS, FIRST, SECOND, changed=5)
    tell(instance, ORDERS, "2025-01-03", changed=0)
    assert stale_nodes(nodes, instance) == {REVENUE: Stale(frozenset({FIRST, SECOND})), METRICS: Stale()}


def test_nothing_is_behind_after_it_was_built(
    nodes: dict[dg.AssetKey, Node], instance: dg.DagsterInstance
) -> None:
    built(instance)
    assert stale_nodes(nodes, instance) == {}


def test_an_event_without_changes_asks_for_nothing(
    nodes: dict[dg.AssetKey, Node], instance: dg.DagsterInstance
) -> None:
    built(instance)
    tell(instance, ORDERS, SECOND, changed=0)
    tell(instance, CUSTOMERS, changed=0)
    assert stale_nodes(nodes, instance) == {}


def test_a_changed_day_asks_for_itself_and_what_is_below(
    nodes: dict[dg.AssetKey, Node], instance: dg.DagsterInstance
) -> None:
    built(instance)
    tell(instance, ORDERS, FIRST, changed=1)
    assert stale_nodes(nodes, instance) == {REVENUE: Stale(frozenset({FIRST})), METRICS: Stale()}


def test_a_later_event_without_changes_does_not_hide_the_change_before_it(
    nodes: dict[dg.AssetKey, Node], instance: dg.DagsterInstance
) -> None:
    built(instance)
    tell(instance, ORDERS, SECOND, changed=1)
    tell(instance, ORDERS, SECOND, changed=0)
    tell(instance, CUSTOMERS, changed=2)
    tell(instance, CUSTOMERS, changed=0)
    assert stale_nodes(nodes, instance)[REVENUE] == Stale(frozenset({SECOND}))
    assert METRICS in stale_nodes(nodes, instance)


def test_a_change_of_a_table_without_days_asks_for_every_day_with_data(
    nodes: dict[dg.AssetKey, Node], instance: dg.DagsterInstance
) -> None:
    nodes[REVENUE] = Node(REVENUE, frozenset({ORDERS, CUSTOMERS}), WEEK, "dbt_days")
    built(instance)
    tell(instance, CUSTOMERS, changed=1)
    assert stale_nodes(nodes, instance)[REVENUE] == Stale(frozenset({FIRST, SECOND}))


def test_changed_code_asks_for_every_day_with_data(
    nodes: dict[dg.AssetKey, Node], instance: dg.DagsterInstance
) -> None:
    built(instance)
    tell(instance, REVENUE, FIRST, SECOND, code="1")
    tell(instance, METRICS, code="1")
    nodes[REVENUE] = Node(REVENUE, frozenset({ORDERS}), WEEK, "dbt_days", code_version="1")
    assert stale_nodes(nodes, instance) == {}
    nodes[REVENUE] = Node(REVENUE, frozenset({ORDERS}), WEEK, "dbt_days", code_version="2")
    assert stale_nodes(nodes, instance) == {REVENUE: Stale(frozenset({FIRST, SECOND})), METRICS: Stale()}


def test_what_a_run_meant_to_make_and_did_not_is_behind(instance: dg.DagsterInstance) -> None:
    broken = True

    @dg.asset(key=METRICS)
    def metrics() -> None:
        if broken:
            raise dg.Failure("half-way")

    @dg.asset(key=REVENUE, partitions_def=WEEK)
    def revenue() -> None:
        if broken:
            raise dg.Failure("half-way")

    nodes = nodes_of(dg.Definitions(assets=[metrics, revenue]))
    broken = False
    dg.materialize([metrics], instance=instance)
    dg.materialize([revenue], instance=instance, partition_key=FIRST)
    assert stale_nodes(nodes, instance) == {}
    broken = True
    dg.materialize([metrics], instance=instance, raise_on_error=False)
    dg.materialize([revenue], instance=instance, partition_key=FIRST, raise_on_error=False)
    assert stale_nodes(nodes, instance) == {METRICS: Stale(), REVENUE: Stale(frozenset({FIRST}))}


def test_periods_of_other_lengths(instance: dg.DagsterInstance) -> None:
    months = partitions_of(
        PartitionBy(column="month", granularity="month", start=date(2025, 1, 1), end=date(2025, 4, 1))
    )
    days = dg.DailyPartitionsDefinition("2025-01-01", end_date="2025-04-01", timezone="UTC")
    mapping = dg.TimeWindowPartitionMapping()
    nodes = {
        ORDERS: Node(ORDERS, frozenset(), days, None),
        REVENUE: Node(REVENUE, frozenset({ORDERS}), months, "dbt", mappings={ORDERS: Mapped(days, mapping)}),
    }
    tell(instance, ORDERS, FIRST, "2025-02-01", changed=1)
    assert stale_nodes(nodes, instance) == {REVENUE: Stale(frozenset({"2025-01", "2025-02"}))}
    tell(instance, REVENUE, "2025-01", "2025-02")
    assert stale_nodes(nodes, instance) == {}
    tell(instance, ORDERS, "2025-03-31", changed=1)
    tell(instance, ORDERS, SECOND, changed=0)
    assert stale_nodes(nodes, instance) == {REVENUE: Stale(frozenset({"2025-03"}))}
    tell(instance, ORDERS, SECOND, changed=1)
    assert stale_nodes(nodes, instance) == {REVENUE: Stale(frozenset({"2025-01", "2025-03"}))}


def test_contiguous_periods() -> None:
    hours = {"2025-01-31-23:00", "2025-02-01-00:00", "2025-02-01-02:00"}
    assert windows(frozenset(hours)) == (
        ("2025-01-31-23:00", "2025-02-01-00:00"),
        ("2025-02-01-02:00", "2025-02-01-02:00"),
    )
    assert windows(frozenset({"2024-12", "2025-01", "2025-03"})) == (
        ("2024-12", "2025-01"),
        ("2025-03", "2025-03"),
    )
