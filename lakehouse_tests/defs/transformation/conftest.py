"""The project's models as assets on a real engine, over the shop's tables as Airbyte lands them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from textwrap import dedent

import dagster as dg
import pytest

from lakehouse.defs.project import PROJECT_DIR
from lakehouse.defs.transformation.assets import project_assets
from lakehouse.demo.generator import generate
from lakehouse_tests.dbt_project.conftest import landed
from lakehouse_tests.warehouse import Warehouse, running_warehouse

TODAY = date(2025, 2, 28)
"""The newest day of the shop, whose first is its 120th before."""


def write_project(directory: Path, files: Mapping[str, str]) -> Path:
    """A dbt project of these files, with the macros and the settings of the lakehouse's own."""
    made = shutil.ignore_patterns("target", "logs", "models", "tests", "snapshots")
    shutil.copytree(PROJECT_DIR, directory, ignore=made)
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return directory


@pytest.fixture(scope="session")
def models() -> list[dg.AssetsDefinition]:
    return project_assets(PROJECT_DIR)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with running_warehouse(tmp_path_factory.mktemp("shop")) as warehouse:
        for name, rows in generate(0.005, 7, TODAY).tables().items():
            warehouse.land(f"shop__{name}", landed(rows))
        yield warehouse
