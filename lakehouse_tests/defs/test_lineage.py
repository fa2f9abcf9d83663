"""Column lineage is what the compiled SQL says, across joins, CTEs and renames."""

from __future__ import annotations

import dagster as dg

from lakehouse.catalog.datasets import Column, Model, Relation
from lakehouse.defs.transformation.lineage import column_lineage


def model(name: str, *columns: str) -> Model:
    return Model(
        relation=Relation("lake", "silver", name),
        layer="silver",
        materialized="table",
        partition_by=None,
        description="",
        columns=tuple(Column(column, "varchar", "") for column in columns),
        owner=None,
        freshness=None,
        reflections=(),
        upstream=(),
        unique_id=f"model.lakehouse.{name}",
    )


ORDERS = model("orders", "id", "customer", "amount")
CUSTOMERS = model("customers", "id", "name")


def deps(sql: str, *columns: str) -> dict[str, list[tuple[str, str]]]:
    found = column_lineage(sql, model("built", *columns), [ORDERS, CUSTOMERS])
    assert found is not None
    return {
        column: [(dep.asset_key.path[-1], dep.column_name) for dep in made_of]
        for column, made_of in found.deps_by_column.items()
    }


def test_renames_expressions_and_joins() -> None:
    sql = """
        with sums as (
            select customer, sum(amount) as total, count(*) as orders from "lake"."silver"."orders" group by customer
        )
        select c.id, upper(c.name) as label, s.total, s.orders
        from "lake"."silver"."customers" as c left join sums as s on c.id = s.customer
    """
    assert deps(sql, "id", "label", "total", "orders") == {
        "id": [("customers", "id")],
        "label": [("customers", "name")],
        "total": [("orders", "amount")],
        "orders": [],
    }


def test_a_star_is_followed() -> None:
    assert deps('select * from "lake"."silver"."customers"', "id", "name") == {
        "id": [("customers", "id")],
        "name": [("customers", "name")],
    }


def test_what_cannot_be_traced_is_not_told() -> None:
    assert column_lineage("select from where", model("built", "x"), [ORDERS]) is None
    assert column_lineage("select 1 as y", model("built", "x"), [ORDERS]) is None


def test_keys_are_those_of_the_catalogue() -> None:
    found = column_lineage('select id from "lake"."silver"."orders"', model("built", "id"), [ORDERS])
    assert found is not None
    assert found.deps_by_column["id"] == [dg.TableColumnDep(dg.AssetKey(["silver", "orders"]), "id")]
