"""The manifest becomes typed datasets; what it declares wrongly is refused by file and key."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.catalog.manifest import load_catalog
from lakehouse.catalog.meta import Contract, ExposureMeta
from lakehouse.errors import ConfigurationError


def source(**meta: Any) -> dict[str, Any]:
    return {
        "unique_id": "source.lakehouse.shop.shop__orders",
        "source_name": "shop",
        "name": "shop__orders",
        "identifier": "shop__orders",
        "database": "lake",
        "schema": "bronze",
        "description": "Orders.",
        "original_file_path": "models/sources.yml",
        "columns": {"order_id": {"name": "order_id", "data_type": "BIGINT", "description": "Key."}},
        "meta": {
            "lakehouse": {"connection": "shop", "stream": "orders", "primary_key": ["order_id"], **meta}
        },
    }


def own(**meta: Any) -> dict[str, Any]:
    """A table of the platform's own records."""
    return {
        **source(),
        "unique_id": "source.lakehouse.platform.platform__syncs",
        "source_name": "platform",
        "name": "platform__syncs",
        "identifier": "platform__syncs",
        "meta": {"lakehouse": {"platform": "syncs", **meta}},
    }


def model(**meta: Any) -> dict[str, Any]:
    return {
        "unique_id": "model.lakehouse.fct_orders",
        "resource_type": "model",
        "name": "fct_orders",
        "alias": "fct_orders",
        "database": "lake",
        "schema": "gold",
        "description": "",
        "original_file_path": "models/marts/fct_orders.sql",
        "patch_path": "lakehouse://models/marts/marts.yml",
        "columns": {},
        "config": {"materialized": "table", "meta": {"lakehouse": meta}},
        "depends_on": {"nodes": ["source.lakehouse.shop.shop__orders"]},
    }


def by(kind: str = "date", lookback: str | None = None, **partition_by: Any) -> dict[str, Any]:
    """A model with partitions by the column `day` of this type."""
    declared = {"column": "day", "start": "2025-01-01", **partition_by}
    meta = {"partition_by": declared, **({"lookback": lookback} if lookback else {})}
    return {**model(**meta), "columns": {"day": {"name": "day", "data_type": kind}}}


def manifest(tmp_path: Path, *nodes: dict[str, Any]) -> Path:
    path = tmp_path / "manifest.json"
    path.write_text(
        json.dumps(
            {
                "sources": {n["unique_id"]: n for n in nodes if "source_name" in n},
                "nodes": {n["unique_id"]: n for n in nodes if "resource_type" in n},
                "exposures": {},
            }
        )
    )
    return path


def test_datasets_and_their_keys(tmp_path: Path) -> None:
    partition = {"column": "order_date", "granularity": "day", "start": "2025-01-01"}
    catalog = load_catalog(
        manifest(
            tmp_path,
            source(
                partition_by=partition,
                freshness={"warn_after": "15m", "fail_after": "1h"},
                owner="team:commerce",
            ),
            model(),
        )
    )
    (orders,) = catalog.bronze
    assert orders.key == ("bronze", "shop", "orders")
    assert orders.landing_key == ("landing", "shop", "orders")
    assert str(orders.relation) == "lake.bronze.shop__orders"
    assert orders.partition_by is not None
    assert orders.partition_by.start == date(2025, 1, 1)
    assert orders.freshness is not None
    assert orders.freshness.warn_after == timedelta(minutes=15)
    assert orders.columns[0].type == "bigint"
    assert catalog.model("fct_orders").upstream == (orders.key,)


def test_the_platforms_own_records(tmp_path: Path) -> None:
    catalog = load_catalog(manifest(tmp_path, own(owner="team:data"), source()))
    (table,) = catalog.platform
    assert (table.key, table.records, table.owner) == (("bronze", "platform", "syncs"), "syncs", "team:data")
    assert [found.key for found in catalog.bronze] == [("bronze", "shop", "orders")]


def test_a_contract(tmp_path: Path) -> None:
    amount = {"name": "amount", "type": "decimal(10,2)", "nullable": False}
    declared = {"columns": [amount], "drift": {"new": "fail"}}
    (orders,) = load_catalog(manifest(tmp_path, source(contract=declared))).bronze
    (column,) = orders.contract.columns
    assert (column.name, column.type, column.nullable) == ("amount", "decimal(10,2)", False)
    assert (orders.contract.drift.new, orders.contract.drift.retyped) == ("fail", "warn")
    (orders,) = load_catalog(manifest(tmp_path, source())).bronze
    assert orders.contract == Contract()


@pytest.mark.parametrize(
    ("node", "line"),
    [
        (source(primry_key=["x"]), "models/sources.yml: shop__orders: meta.lakehouse.primry_key: unknown key; known"),
        (own(conection="x"), "meta.lakehouse.conection: unknown key; known are freshness, owner, platform"),
        (own(platform="syncz"), "meta.lakehouse.platform: Input should be 'syncs', 'runs', 'freshness' or 'reflections'"),
        ({**source(), "source_name": "platform", "identifier": "platform__x"}, "source platform is that of the platform's own"),
        ({**own(), "columns": {"at": {"name": "at", "data_type": "text"}}}, "column at is text; declare data_type as one of"),
        (own(platform="runs"), "declare it as the table platform__runs of the source platform"),
        (source(contract={"colums": {}}), "meta.lakehouse.contract.colums: unknown key; known are columns, drift"),
        (source(contract={"drift": {"gone": "warn"}}), "contract.drift.gone: unknown key; known are dropped, new, retyped"),
        (source(contract={"columns": [{"name": "x", "typ": "int"}]}), "columns.0.typ: unknown key; known are name, nullable"),
        (source(contract={"columns": [{"name": "x", "type": "text"}]}), "contract.columns.0.type: "),
        (source(contract={"columns": [{"name": "x"}, {"name": "x"}]}), "contract: column x is declared twice"),
        (source(contract={"drift": {"new": "panic"}}), "contract.drift.new: Input should be 'ignore', 'warn' or 'fail'"),
        (source(primary_key=[]), "models/sources.yml: shop__orders: meta.lakehouse.primary_key: "),
        (source(freshness={"fail_after": "soon"}), "'soon' is no duration; write a number and one of s, m, h, d"),
        (model(reflections=[{"name": "r", "type": "raw"}]), "marts.yml: fct_orders: meta.lakehouse.reflections.0: "),
        ({**source(), "identifier": "orders"}, "declare schema bronze and a table named shop__<table>"),
        (
            {**model(partition_by={"column": "day", "start": "2025-01-01"}), "resource_type": "snapshot"},
            "models/marts/marts.yml: fct_orders: meta.lakehouse.partition_by: a snapshot has no partitions; remove it",
        ),
        (by(granularity="week"), "meta.lakehouse.partition_by.granularity: Input should be 'hour', 'day' or 'month'"),
        (by(timezone="Mars/Olympus"), "partition_by.timezone: 'Mars/Olympus' is no IANA time zone"),
        (by(granularity="month", start="2025-01-02"), "partition_by: start must be the first day of a month"),
        (by(end="2025-01-01"), "partition_by: end must be after start"),
        (by(granularity="hour", timezone="Europe/Berlin"), "partition_by: hours are those of UTC"),
        (by(granularity="hour"), "partition_by.column: day is declared as date; hours need a column of data_type timestamp"),
        (by("timestamp", timezone="Europe/Berlin"), "days in Europe/Berlin need a column of data_type date"),
        (by("varchar", granularity="month"), "declared as varchar; months need a column of data_type date or timestamp"),
        (by(lookback="36h"), "meta.lakehouse: lookback must be whole days, and at least one"),
        (by(granularity="month", lookback="1d"), "meta.lakehouse: lookback is for models with partitions by hour or day"),
        (model(lookback="1d"), "meta.lakehouse: lookback is for models with partitions by hour or day"),
        (
            source(partition_by={"column": "day", "granularity": "hour", "start": "2025-01-01"}),
            "models/sources.yml: shop__orders: meta.lakehouse.partition_by.column: day is declared as no type; hours need",
        ),
        (
            model(unified={"key": ["order_id"], "hot_days": 7, "days": 7}),
            "fct_orders: meta.lakehouse.unified.days: unknown key; known are hot_days, key, same",
        ),
        (model(unified={"key": ["order_id"], "hot_days": 7}), "unified: a table would be of the moment it was built; make it"),
        (
            model(unified={"key": ["x"], "hot_days": 7}, partition_by={"column": "day", "start": "2025-01-01"}),
            "unified: a view has no partitions; remove partition_by",
        ),
        ({**model(), "schema": "platinum"}, "schema 'platinum' is no layer; allowed are silver, gold"),
    ],
)  # fmt: skip
def test_wrong_declarations_are_one_clear_line(tmp_path: Path, node: dict[str, Any], line: str) -> None:
    nodes = [node] if "source_name" in node else [source(), node]
    with pytest.raises(ConfigurationError) as caught:
        load_catalog(manifest(tmp_path, *nodes))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("below", "line"),
    [
        (
            by(timezone="Europe/Berlin"),
            "partition_by.timezone: Europe/Berlin, but lake.bronze.shop__orders has UTC",
        ),
        (
            by(lookback="1d", start="2025-01-02"),
            "lookback: the partitions of lake.bronze.shop__orders are others",
        ),
    ],
)
def test_partitions_that_do_not_fit_those_above_are_refused(
    tmp_path: Path, below: dict[str, Any], line: str
) -> None:
    above = source(partition_by={"column": "day", "start": "2025-01-01"})
    with pytest.raises(
        ConfigurationError, match=re.escape(f"models/marts/marts.yml: fct_orders: meta.lakehouse.{line}")
    ):
        load_catalog(manifest(tmp_path, above, below))


def test_hours_months_and_a_time_zone(tmp_path: Path) -> None:
    for declared in (
        by("timestamp", granularity="hour", lookback="3h"),
        by(granularity="month", timezone="Europe/Berlin"),
        by("timestamp", granularity="month"),
    ):
        model = load_catalog(manifest(tmp_path, source(), declared)).model("fct_orders")
        assert model.partition_by
        assert model.partition_by.granularity in ("hour", "month")


def test_no_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run `dbt parse`"):
        load_catalog(tmp_path / "manifest.json")


def test_figures_are_held_against_a_declared_dataset(tmp_path: Path) -> None:
    def declared(other: str) -> dict[str, Any]:
        return model(reconcile=[{"with": other, "ours": "count(*)", "theirs": "sum(n)", "tolerance": 0.5}])

    (found,) = load_catalog(manifest(tmp_path, source(), declared("bronze/shop/orders"))).models
    (reconciliation,) = found.reconcile
    assert reconciliation.other_key == ("bronze", "shop", "orders")
    with pytest.raises(ConfigurationError, match=r"marts.yml: fct_orders: .*no dataset is gold/nothing"):
        load_catalog(manifest(tmp_path, source(), declared("gold/nothing")))
    with pytest.raises(ConfigurationError, match=r"reconcile.0.with: String should match"):
        load_catalog(manifest(tmp_path, source(), declared("orders")))
    misspelt = model(reconcile=[{"whith": "gold/fct_orders", "ours": "count(*)", "theirs": "count(*)"}])
    with pytest.raises(ConfigurationError, match=r"reconcile\.0\.\w+: "):
        load_catalog(manifest(tmp_path, source(), misspelt))
    unknown = model(reconcile=[{"with": "gold/fct_orders", "ours": "1", "theirs": "1", "severity": "warn"}])
    with pytest.raises(ConfigurationError, match="unknown key; known are ours, theirs, tolerance, with"):
        load_catalog(manifest(tmp_path, unknown))


def test_a_dashboard_has_no_column_that_tells_how_new_it_is(tmp_path: Path) -> None:
    freshness = {"fail_after": "1h", "column": "day"}
    (found,) = load_catalog(manifest(tmp_path, model(freshness=freshness))).models
    assert found.freshness
    assert found.freshness.column == "day"
    with pytest.raises(ValueError, match="a dashboard has no rows of its own"):
        ExposureMeta.model_validate({"freshness": freshness})
