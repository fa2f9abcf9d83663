"""The project's models as assets on a real engine, over the shop's tables as Airbyte lands them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import dagster as dg
import pytest

from lakehouse.defs.transformation.assets import defs
from lakehouse.demo.generator import generate
from lakehouse_tests.dbt_project.conftest import landed
from lakehouse_tests.warehouse import Warehouse, running_warehouse

TODAY = date(2025, 2, 28)
"""The newest day of the shop, whose first is its 120th before."""


@pytest.fixture(scope="session")
def models() -> list[dg.AssetsDefinition]:
    return [asset for asset in defs().assets or () if isinstance(asset, dg.AssetsDefinition)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with running_warehouse(tmp_path_factory.mktemp("shop")) as warehouse:
        for name, rows in generate(0.005, 7, TODAY).tables().items():
            warehouse.land(f"shop__{name}", landed(rows))
        yield warehouse
