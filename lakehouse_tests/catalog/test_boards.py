"""A dashboard's file against the datasets: what does not exist is refused by file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.catalog.boards import load_boards
from lakehouse.catalog.charts import parse_metric
from lakehouse.catalog.datasets import Catalog, Column, Dashboard, Model, Relation
from lakehouse.errors import ConfigurationError


def catalog() -> Catalog:
    def model(name: str, **columns: str) -> Model:
        return Model(
            relation=Relation("lake", "gold", name),
            layer="gold",
            materialized="table",
            partition_by=None,
            description="",
            columns=tuple(Column(column, kind, "") for column, kind in columns.items()),
            owner=None,
            freshness=None,
            reflections=(),
            upstream=(),
            unique_id=f"model.lakehouse.{name}",
        )

    orders = model("fct_orders", order_date="date", status="varchar", amount="decimal(12, 2)")
    other = model("dim_products", price="double")
    board = Dashboard("sales", "Sales", "", None, None, None, (orders.key,))
    return Catalog((), (orders, other), (board,))


def chart(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Amount by day",
        "type": "line",
        "dataset": "fct_orders",
        "time": "order_date",
        "metrics": {"amount": "sum(amount)"},
        **changes,
    }


def written(project: Path, name: str = "sales.yml", **changes: Any) -> Path:
    board = {"dashboard": "sales", "charts": {"daily": chart()}, "rows": [{"daily": 12}], **changes}
    (project / "dashboards").mkdir(exist_ok=True)
    (project / "dashboards" / name).write_text(yaml.safe_dump(board))
    return project


def test_a_dashboard_has_the_models_that_its_charts_are_over(tmp_path: Path) -> None:
    declared = load_boards(written(tmp_path), catalog())["sales"]
    assert declared.dashboard.label == "Sales"
    assert list(declared.datasets) == ["fct_orders"]
    assert load_boards(tmp_path / "without", catalog()) == {}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"time": "day"}, "sales.yml: charts.daily.time: fct_orders has no column day; it has order_date, status, amount"),
        ({"time": "status"}, "charts.daily.time: column status of fct_orders is varchar; allowed are date, timestamp"),
        ({"metrics": {"n": "sum(status)"}}, "charts.daily.metrics.n: column status of fct_orders is varchar; allowed are tiny"),
        ({"metrics": {"n": "sum(price)"}}, "charts.daily.metrics.n: fct_orders has no column price"),
        ({"metrics": {"n": "median(amount)"}}, "charts.daily.metrics.n: 'median(amount)' is no metric; write count(*) or"),
        ({"last": {"column": "amount", "days": 3}}, "charts.daily.last.column: column amount of fct_orders is decimal"),
        ({"dataset": "dim_products"}, "charts.daily.dataset: dim_products is no dataset that sales depends on; name one of"),
        ({"colour": "red"}, "charts.daily.colour: unknown key"),
        ({"type": "radar"}, "charts.daily: Input tag 'radar'"),
    ],
)  # fmt: skip
def test_a_wrong_chart_is_one_line_with_file_and_key(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    written(tmp_path, charts={"daily": chart(**changes)})
    with pytest.raises(ConfigurationError) as caught:
        load_boards(tmp_path, catalog())
    assert told in str(caught.value)
    assert str(caught.value).startswith("dashboards/sales.yml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dashboard": "nobody"}, "sales.yml: dashboard: no exposure of type dashboard is nobody; known are sales"),
        ({"rows": [{"daily": 12}, {"weekly": 4}]}, "sales.yml: rows: no chart is weekly"),
        ({"rows": [{"daily": 6}, {"daily": 6}]}, "sales.yml: rows: chart daily is in 2 places; name it once"),
        ({"charts": {"daily": chart(), "again": chart()}}, "charts.again.title: 'Amount by day' is the title of another"),
        ({"rows": [{"daily": 13}]}, "sales.yml: rows.0.daily: Input should be less than or equal to 12"),
    ],
)  # fmt: skip
def test_a_wrong_layout_is_one_line(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_boards(written(tmp_path, **changes), catalog())
    assert told in str(caught.value)


def test_an_exposure_has_one_file(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(ConfigurationError, match=r"sales2.yml: dashboard: sales has a file already"):
        load_boards(written(tmp_path, name="sales2.yml"), catalog())


def test_only_rows_are_counted_without_a_column() -> None:
    assert parse_metric("count(*)") == ("count", "*")
    with pytest.raises(ValueError, match="is no metric"):
        parse_metric("sum(*)")
