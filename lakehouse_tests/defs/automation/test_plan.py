"""The order of runs: upstream first, one partitions definition a run, as few batches as can be."""

import dagster as dg
import pytest

from lakehouse.defs.automation.plan import Node, Stage, plan

DAYS = dg.DailyPartitionsDefinition("2025-01-01", timezone="UTC")
YEAR = dg.DailyPartitionsDefinition("2013-01-01", end_date="2014-01-01", timezone="UTC")


def nodes(*declared: tuple[str, str, dg.PartitionsDefinition | None, str | None]) -> dict[dg.AssetKey, Node]:
    """`(name, "upstream names", partitions, batch)`, upstream first."""
    return {
        dg.AssetKey(name): Node(
            dg.AssetKey(name), frozenset(dg.AssetKey(up) for up in upstream.split()), partitions, batch
        )
        for name, upstream, partitions, batch in declared
    }


def names(stages: list[Stage]) -> list[str]:
    return [" ".join(key.to_user_string() for key in stage.keys) for stage in stages]


SHOP = nodes(
    ("landed", "", None, None),
    ("customers", "landed", None, None),
    ("orders", "landed", DAYS, None),
    ("flights", "landed", YEAR, None),
    ("stg_customers", "customers", None, "dbt"),
    ("stg_orders", "orders", DAYS, "dbt_days"),
    ("departures", "flights", YEAR, "dbt_year"),
    ("revenue", "stg_orders stg_customers", DAYS, "dbt_days"),
    ("lifetime", "revenue stg_customers", None, "dbt"),
    ("dashboard", "lifetime departures", None, None),
)


def test_everything_that_is_cheap_goes_first_and_batches_are_few() -> None:
    stages = plan(SHOP, SHOP)
    batches = [stage.batch for stage in stages if stage.batch]
    assert sorted(batches) == ["dbt", "dbt", "dbt_days", "dbt_year"]
    assert names(stages)[0] == "landed customers"
    assert names(stages)[-1] == "dashboard"
    assert all(len({SHOP[key].partitions for key in stage.keys}) == 1 for stage in stages)


def test_upstream_comes_first() -> None:
    done: set[dg.AssetKey] = set()
    for stage in plan(SHOP, SHOP):
        for key in stage.keys:
            assert SHOP[key].upstream <= done
            done.add(key)
    assert done == set(SHOP)


def test_only_what_is_wanted() -> None:
    wanted = [dg.AssetKey("lifetime"), dg.AssetKey("stg_customers")]
    assert names(plan(SHOP, wanted)) == ["stg_customers lifetime"]
    assert plan(SHOP, []) == []


def test_an_unknown_asset_is_refused() -> None:
    with pytest.raises(KeyError, match="nobody"):
        plan(SHOP, [dg.AssetKey("nobody")])
