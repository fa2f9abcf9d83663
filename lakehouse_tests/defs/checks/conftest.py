"""Datasets over a real lake, materialized and checked in one Dagster instance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from lakehouse.catalog.datasets import BronzeTable, Model, Relation
from lakehouse.catalog.meta import PartitionBy
from lakehouse.defs.bronze.assets import bronze_asset
from lakehouse.defs.checks.assets import dataset_checks
from lakehouse.defs.checks.look import Dataset
from lakehouse.defs.resources import LakehouseResource
from lakehouse_tests.lake.conftest import EPOCH, Lake
from lakehouse_tests.warehouse import Warehouse, running_warehouse

RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
FIELDS = {"order_id": pa.int64(), "order_date": pa.date32(), "amount": pa.float64()}
ORDERS = BronzeTable(
    relation=Relation("lake", "bronze", "shop__orders"),
    source="shop",
    table="orders",
    connection="shop",
    stream="orders",
    primary_key=("order_id",),
    partition_by=PartitionBy(column="order_date", start=date(2025, 1, 1)),
    description="Orders.",
    columns=(),
    owner=None,
    freshness=None,
    unique_id="source.lakehouse.shop.shop__orders",
)


class Orders:
    """The bronze table of orders: lands rows, merges them in a run of a day, and gives what the checks found."""

    def __init__(self, home: Path) -> None:
        self.lake = Lake(home)
        (home / "lakehouse.env").write_text(
            "".join(f"LAKEHOUSE_DREMIO__{name}=1\n" for name in ("PORT", "FLIGHT_PORT", "PASSWORD"))
        )
        self.instance = dg.DagsterInstance.ephemeral()
        self._landed = 0

    def land(self, *rows: dict[str, Any], fields: dict[str, pa.DataType] = FIELDS) -> None:
        self._landed += 1
        self.lake.land(rows, fields, epoch=EPOCH + self._landed)

    def merge(self, day: date, table: BronzeTable = ORDERS) -> dict[str, dg.AssetCheckEvaluation]:
        """The run's checks by name."""
        return evaluations(self.run(day, [bronze_asset(table), checks_of(table)]))

    def run(self, day: date, assets: Sequence[dg.AssetsDefinition]) -> dg.ExecuteInProcessResult:
        """A run of these assets and checks for one day."""
        return dg.materialize(
            assets,
            instance=self.instance,
            resources={"lakehouse": LakehouseResource(home=str(self.lake.home))},
            tags=dict.fromkeys(RANGE, str(day)),
        )


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    return Orders(tmp_path)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as running:
        yield running


def gold(name: str, **values: Any) -> Model:
    """A model of gold, as the catalogue has it."""
    defaults: dict[str, Any] = {
        "relation": Relation("lake", "gold", name),
        "layer": "gold",
        "materialized": "table",
        "partition_by": None,
        "description": "",
        "columns": (),
        "owner": None,
        "freshness": None,
        "reflections": (),
        "upstream": (),
        "unique_id": f"model.lakehouse.{name}",
    }
    return Model(**(defaults | values))


def look_at(
    warehouse: Warehouse, dataset: Dataset, days: tuple[str, str] | None = None
) -> dict[str, dg.AssetCheckEvaluation]:
    """The dataset's checks alone, as a person runs them, by name; `days` as a run of days has them."""
    tags = dict(zip(RANGE, days, strict=True)) if days else {}
    checks = checks_of(dataset)
    defs = dg.Definitions(
        assets=[dg.AssetSpec(dg.AssetKey(dataset.key))],
        asset_checks=[checks],
        jobs=[dg.define_asset_job("check", selection=dg.AssetSelection.checks(checks))],
        resources={"lakehouse": LakehouseResource(home=str(warehouse.home))},
    )
    job = defs.resolve_job_def("check")
    return evaluations(job.execute_in_process(instance=warehouse.instance, tags=tags))


def order(number: int, day: date, amount: float = 1.0) -> dict[str, Any]:
    return {"order_id": number, "order_date": day, "amount": amount}


def checks_of(*datasets: Dataset) -> dg.AssetChecksDefinition:
    checks = dataset_checks("test", datasets)
    assert checks
    return checks


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def numbers(check: dg.AssetCheckEvaluation) -> dict[str, Any]:
    """The check's metadata as plain values."""
    return {name: value.value for name, value in check.metadata.items()}


def outcome(check: dg.AssetCheckEvaluation) -> str:
    """PASS, WARN or ERROR."""
    return "PASS" if check.passed else check.severity.value
