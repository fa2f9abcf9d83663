"""The customers' history on a real engine: versions without gap or overlap, and nothing new without a change."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lakehouse.defs.automation.plan import nodes_of
from lakehouse.defs.automation.stale import stale_nodes
from lakehouse.defs.resources import LakehouseResource
from lakehouse_tests.warehouse import Warehouse

pytestmark = pytest.mark.slow
STAGED, HISTORY = "silver/stg_customers", "silver/customers_history"


@pytest.fixture
def take(shop: Warehouse, models: list[dg.AssetsDefinition]) -> Any:
    """Stages the customers and takes a snapshot of them; gives every version by customer, oldest first."""

    def run(*, full_refresh: bool = False) -> dict[int, list[dict[str, Any]]]:
        for name in (STAGED, HISTORY):
            done = shop.build(models, name, full_refresh=full_refresh)
            assert done.success
            assert all(check.passed for check in done.get_asset_check_evaluations())
        versions = defaultdict(list)
        for row in sorted(shop.rows("silver", "customers_history"), key=lambda row: row["dbt_valid_from"]):
            versions[row["customer_id"]].append(row)
        return versions

    return run


def test_versions_follow_each_other(shop: Warehouse, models: list[dg.AssetsDefinition], take: Any) -> None:
    customers = shop.catalog.load_table(("bronze", "shop__customers")).scan().to_arrow()
    first = take()
    assert first.keys() == set(customers["customer_id"].to_pylist())
    assert all(len(versions) == 1 and versions[0]["dbt_valid_to"] is None for versions in first.values())

    moved, gone, *_ = sorted(first)
    rows = [row for row in customers.to_pylist() if row["customer_id"] != gone]
    moved_rows = [{**row, "city": "Elsewhere"} if row["customer_id"] == moved else row for row in rows]
    shop.land("shop__customers", pa.Table.from_pylist(moved_rows, schema=customers.schema))
    second = take()
    old, new = second.pop(moved)
    assert old["dbt_valid_to"] == new["dbt_valid_from"]
    assert (new["city"], new["dbt_valid_to"]) == ("Elsewhere", None)
    (closed,) = second.pop(gone)
    assert closed["dbt_valid_to"] > closed["dbt_valid_from"]
    assert second == {key: versions for key, versions in first.items() if key not in (moved, gone)}

    # The changes that were merged were a table too.
    names = {name for _, name in shop.catalog.list_tables("silver")}
    assert names == {"stg_customers", "customers_history"}
    newest = shop.instance.get_latest_materialization_event(dg.AssetKey(HISTORY.split("/")))
    assert newest
    assert newest.asset_materialization
    told = newest.asset_materialization.metadata
    assert told["dagster/row_count"].value == len(first) + 1
    lineage = told["dagster/column_lineage"].value.deps_by_column
    assert lineage["city"] == [dg.TableColumnDep(dg.AssetKey(STAGED.split("/")), "city")]

    digest = shop.digest("silver", "customers_history")
    assert take()[moved] == [old, new]
    assert shop.digest("silver", "customers_history") == digest
    # History cannot be made from inputs that forgot it: a full refresh leaves it alone.
    take(full_refresh=True)
    assert shop.digest("silver", "customers_history") == digest

    shop.land("shop__customers", customers)
    back = take()
    assert [row["dbt_valid_to"] is None for row in back[gone]] == [False, True]
    assert back[gone][0]["dbt_valid_to"] < back[gone][1]["dbt_valid_from"]
    assert len(back[moved]) == 3
    nodes = nodes_of(dg.Definitions(assets=models, resources={"lakehouse": LakehouseResource()}))
    both = {key: nodes[key] for key in map(dg.AssetKey.from_user_string, (STAGED, HISTORY))}
    assert stale_nodes(both, shop.instance) == {}


def test_versions_that_overlap_fail_the_check(
    shop: Warehouse, models: list[dg.AssetsDefinition], take: Any
) -> None:
    take()
    table = shop.catalog.load_table(("silver", "customers_history"))
    rows = table.scan().to_arrow()
    twice = rows.filter(pc.is_null(rows["dbt_valid_to"])).slice(0, 1)
    good = table.current_snapshot()
    table.append(twice)
    done = shop.build(models, HISTORY)
    failed = [check for check in done.get_asset_check_evaluations() if not check.passed]
    assert {check.check_name.partition("_customers")[0] for check in failed} == {
        "unique",
        "versions_follow_each_other",
    }
    assert all(check.severity == dg.AssetCheckSeverity.ERROR for check in failed)
    assert not done.success
    assert good
    table.refresh().manage_snapshots().rollback_to_snapshot(good.snapshot_id).commit()
