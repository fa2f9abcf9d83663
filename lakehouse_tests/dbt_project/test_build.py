"""The project built for real: right tables, windows that replace themselves, and failures that take nothing away."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from pyiceberg.transforms import IdentityTransform

from lakehouse.defs.project import declared_datasets
from lakehouse.scaffold.discovered import Stream
from lakehouse.scaffold.documents import model_name, staging
from lakehouse.scaffold.proposal import Proposal
from lakehouse.scaffold.source import NewSource
from lakehouse_tests.dbt_project.conftest import TODAY, Project

pytestmark = pytest.mark.slow

MODELS = declared_datasets().models
TABLES = tuple(model for model in MODELS if model.materialized != "view")
TYPES = {"bigint": "long", "integer": "int", "varchar": "string", "double": "double", "date": "date"}
FIRST, END = date(2025, 6, 1), date(2025, 6, 11)


@pytest.fixture(scope="module")
def built(project: Project) -> Project:
    """Everything built once, tests and unit tests included."""
    done = project.dbt("build")
    assert done.returncode == 0, done.stdout[-4000:]
    return project


def all_rows(project: Project) -> dict[str, list[dict[str, Any]]]:
    return {model.name: project.rows(model.layer, model.name) for model in TABLES}


def test_every_test_and_unit_test_ran_and_passed(built: Project) -> None:
    results = json.loads((built.project_dir / "target" / "run_results.json").read_text())["results"]
    kinds = [(row["unique_id"].partition(".")[0], row["status"]) for row in results]
    assert {status for kind, status in kinds if kind != "exposure"} == {"success", "pass"}
    assert sum(kind in ("model", "snapshot") for kind, _ in kinds) == len(MODELS)
    assert sum(kind == "unit_test" for kind, _ in kinds) >= 2


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.name)
def test_declared_columns_are_the_built_ones(built: Project, model: Any) -> None:
    table = built.catalog.load_table((model.layer, model.name))
    found = [(field.name, str(field.field_type)) for field in table.schema().fields]
    declared = [(column.name, TYPES.get(column.type, column.type)) for column in model.columns]
    found = [(name, "timestamp" if kind == "timestamptz" else kind) for name, kind in found]
    assert found == declared
    partition = [(f.transform, table.schema().find_column_name(f.source_id)) for f in table.spec().fields]
    days = model.partition_by
    assert partition == ([(IdentityTransform(), days.column)] if days else [])


def test_gold_is_right(built: Project) -> None:
    orders = built.catalog.load_table(("bronze", "shop__orders")).scan().to_arrow()
    done = orders.filter(pc.equal(orders["status"], "completed"))
    truth = sum((Decimal(f"{amount:.2f}") for amount in done["amount"].to_pylist()), Decimal(0))
    assert sum(row["revenue"] for row in built.rows("gold", "fct_daily_revenue")) == truth
    worth = built.rows("gold", "fct_customer_lifetime_value")
    assert sum(row["lifetime_value"] for row in worth) == truth
    assert all(
        row["customer_lifespan_days"] == (row["last_order_date"] - row["first_order_date"]).days
        for row in worth
    )
    departures = built.rows("gold", "fct_departures")
    assert len(departures) == 2699
    with_weather = [row for row in departures if row["temperature_f"] is not None]
    assert len(with_weather) > 2600
    days = built.rows("gold", "fct_daily_punctuality")
    assert sum(row["flights"] for row in days) == 2699
    assert all(row["departed"] + row["cancelled"] == row["flights"] for row in days)


def test_a_window_built_again_changes_nothing(built: Project) -> None:
    before = all_rows(built)
    built.run(days=(FIRST, END))
    assert all_rows(built) == before


def test_changes_of_a_window_reach_gold_and_others_wait(built: Project) -> None:
    """An order that moves to another day, one that goes, and one of a day that nobody asks for."""
    bronze = built.catalog.load_table(("bronze", "shop__orders")).scan().to_arrow()
    rows = bronze.to_pylist()
    of_day = {row["order_date"]: row for row in rows}
    moved, gone, other = of_day[FIRST], of_day[FIRST + timedelta(1)], of_day[TODAY]
    changed = [
        {**row, "order_date": END - timedelta(1)} if row is moved
        else {**row, "amount": 123.45} if row is other
        else row
        for row in rows
        if row is not gone
    ]  # fmt: skip
    before = {row["order_id"]: row for row in built.rows("gold", "fct_orders")}
    built.land("shop__orders", pa.Table.from_pylist(changed, schema=bronze.schema))
    built.run("--select", "stg_orders+", days=(FIRST, END))
    found = built.rows("gold", "fct_orders")
    after = {row["order_id"]: row for row in found}
    assert len(after) == len(found)
    assert before.keys() - after.keys() == {gone["order_id"]}
    assert after[moved["order_id"]]["order_date"] == END - timedelta(1)
    assert after[other["order_id"]] == before[other["order_id"]]
    revenue = {row["order_date"]: row for row in built.rows("gold", "fct_daily_revenue")}
    assert sum(row["orders"] for row in revenue.values()) == len(found)
    assert built.dbt("test", "--select", "assert_revenue_matches_orders").returncode == 0


def test_a_model_that_fails_takes_nothing_away(built: Project) -> None:
    path = "models/marts/shop/fct_daily_revenue.sql"
    before = built.rows("gold", "fct_daily_revenue")
    good = (built.project_dir / path).read_text()
    try:
        built.edit(path, {"count(*) as orders": "cast(max(status) as int) as orders"})
        window = json.dumps({"min_date": str(FIRST), "max_date": str(END)})
        done = built.dbt("run", "--select", "fct_daily_revenue", "--vars", window)
        assert done.returncode != 0
        assert built.rows("gold", "fct_daily_revenue") == before
    finally:
        (built.project_dir / path).write_text(good)


def test_a_new_column_reaches_the_rebuilt_days(built: Project) -> None:
    path = "models/marts/shop/fct_daily_revenue.sql"
    built.edit(path, {"count(*) as orders,": "count(*) as orders, max(amount) as largest_order,"})
    built.run("--select", "fct_daily_revenue", days=(FIRST, END))
    found = built.rows("gold", "fct_daily_revenue")
    filled = {row["order_date"] for row in found if row["largest_order"] is not None}
    assert filled == {FIRST + timedelta(n) for n in range((END - FIRST).days)}


def test_a_key_of_two_columns_is_held_to_be_one(built: Project) -> None:
    """As `lakehouse add` writes it, for columns of awkward names."""
    columns = {"user": "bigint", "Line": "varchar"}
    stream = Stream(
        "pairs", columns, {}, (), ("user", "Line"), (), incremental=True, source_defined_cursor=True
    )
    pairs = Proposal(stream, "incremental_append", (), ("user", "Line"), frozenset(columns), None)
    source = NewSource("odd", "nothing", {}, ())
    folder = built.project_dir / "models" / "staging" / "odd"
    folder.mkdir()
    try:
        (folder / "staging_odd.yml").write_text(yaml.safe_dump(staging(source, [pairs])))
        model = folder / f"{model_name(source, pairs)}.sql"
        for second, right in (("b", True), ("a", False)):
            rows = [f'select 1 as "user", \'{line}\' as "Line"' for line in ("a", second)]
            model.write_text(" union all ".join(rows))
            done = built.dbt("build", "--select", "stg_odd__pairs")
            assert "unique_combination_of_columns" in done.stdout
            assert (done.returncode == 0) == right, done.stdout[-4000:]
    finally:
        shutil.rmtree(folder)


def test_half_a_window_is_refused(built: Project) -> None:
    done = built.dbt("compile", "--select", "stg_orders", "--vars", "{min_date: 2025-06-01}")
    assert done.returncode != 0
    assert "the window of a date is two ISO dates" in done.stdout
