"""How far changes reach, and in which runs that is built."""

from __future__ import annotations

import dagster as dg

from lakehouse.defs.automation.changes.phases import MOST_WINDOWS, phases
from lakehouse.defs.automation.changes.reach import downstream, reach
from lakehouse.defs.automation.changes.state import Build
from lakehouse.defs.automation.plan import Node
from lakehouse.defs.automation.stale import Stale

DAYS = dg.DailyPartitionsDefinition("2025-01-01", end_date="2025-03-01", timezone="UTC")
MONTHS = dg.MonthlyPartitionsDefinition("2025-01-01", end_date="2025-03-01", timezone="UTC")


def key(name: str) -> dg.AssetKey:
    return dg.AssetKey.from_user_string(name)


def graph(**assets: tuple[list[str], dg.PartitionsDefinition | None]) -> dict[dg.AssetKey, Node]:
    return {
        key(name): Node(key(name), frozenset(key(up) for up in upstream), partitions, "dbt")
        for name, (upstream, partitions) in assets.items()
    }


SHOP = graph(
    orders=([], DAYS),
    customers=([], None),
    stg_orders=(["orders"], DAYS),
    joined=(["stg_orders", "customers"], DAYS),
    metrics=(["joined"], None),
    elsewhere=([], None),
)


def test_days_reach_the_same_days_and_everything_without_days() -> None:
    found = reach(SHOP, {key("orders"): Stale(frozenset({"2025-01-03"}))}, lambda _: ())
    assert {k.to_user_string(): set(stale.days) for k, stale in found.items()} == {
        "orders": {"2025-01-03"},
        "stg_orders": {"2025-01-03"},
        "joined": {"2025-01-03"},
        "metrics": set(),
    }


def test_a_table_without_days_reaches_every_day_that_was_made() -> None:
    found = reach(SHOP, {key("customers"): Stale()}, lambda _: ("2025-01-05", "2025-01-06"))
    assert found[key("joined")].days == {"2025-01-05", "2025-01-06"}
    assert key("stg_orders") not in found
    assert not reach(SHOP, {key("customers"): Stale()}, lambda _: ()).get(key("joined"))


def test_days_that_are_not_declared_are_left_out() -> None:
    assert not reach(SHOP, {key("orders"): Stale(frozenset({"2024-12-31"}))}, lambda _: ())


def test_downstream_ends_where_nothing_is_made_of_it() -> None:
    assert [k.to_user_string() for k in downstream(SHOP, [key("customers")])] == [
        "customers",
        "joined",
        "metrics",
    ]


def test_windows_are_runs_of_their_own_and_what_has_no_days_is_built_with_the_last() -> None:
    wanted = reach(
        SHOP, {key("orders"): Stale(frozenset({"2025-01-01", "2025-01-02", "2025-01-09"}))}, lambda _: ()
    )
    first, last = phases(SHOP, wanted)
    days = ("orders", "stg_orders", "joined")
    assert first == (Build(days, ("2025-01-01", "2025-01-02")),)
    assert last == (Build((*days, "metrics"), ("2025-01-09", "2025-01-09")),)


def test_many_windows_are_one_run_of_exactly_these_days() -> None:
    days = frozenset(f"2025-01-{1 + 2 * n:02}" for n in range(MOST_WINDOWS + 1))
    ((only,),) = phases(SHOP, reach(SHOP, {key("orders"): Stale(days)}, lambda _: ()))
    assert only.window == (min(days), max(days))
    assert set(only.days) == days
    assert only.covers("2025-01-01")
    assert not only.covers("2025-01-02")


def test_other_partitions_are_another_phase() -> None:
    nodes = graph(
        orders=([], DAYS), monthly=(["orders"], MONTHS), daily=(["orders"], DAYS), end=(["monthly"], None)
    )
    wanted = {
        key("orders"): Stale(frozenset({"2025-01-01"})),
        key("monthly"): Stale(frozenset({"2025-01-01"})),
        key("daily"): Stale(frozenset({"2025-01-01"})),
        key("end"): Stale(),
    }
    assert [[build.assets for build in phase] for phase in phases(nodes, wanted)] == [
        [("orders", "daily")],
        [("monthly", "end")],
    ]
