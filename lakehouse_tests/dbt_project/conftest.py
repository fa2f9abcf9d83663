"""The real dbt project on a real engine, over bronze tables written with pyiceberg as Airbyte lands them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse.defs.project import PROJECT_DIR
from lakehouse.demo.generator import generate
from lakehouse.demo.truth import flights_folder, read_flights
from lakehouse_tests.engine import PASSWORD, USER, Engine, running_engine

TODAY = date(2025, 6, 30)


@dataclass
class Project:
    """A copy of the project that tests may edit, and the lake it builds into."""

    directory: Path
    engine: Engine
    catalog: SqlCatalog

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {"HOST": "127.0.0.1", "PORT": str(self.engine.port), "USER": USER, "PASSWORD": PASSWORD}
        where = ["--project-dir", str(self.directory), "--profiles-dir", str(self.directory)]
        return subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", *arguments, *where],
            env={**os.environ, **{f"LAKEHOUSE_DREMIO__{name}": value for name, value in variables.items()}},
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, *arguments: str, days: tuple[date, date] | None = None) -> None:
        """`dbt run` of a window (end exclusive); fails with dbt's output."""
        window = json.dumps({"min_date": str(days[0]), "max_date": str(days[1])}) if days else "{}"
        done = self.dbt("run", "--vars", window, *arguments)
        assert done.returncode == 0, done.stdout[-3000:]

    def rows(self, layer: str, name: str) -> list[dict[str, Any]]:
        """Every row, read without the engine, in an order that does not depend on how it was written."""
        table = self.catalog.load_table((layer, name)).scan().to_arrow()
        return sorted(table.to_pylist(), key=lambda row: str(list(row.values())))

    def land(self, name: str, rows: pa.Table) -> None:
        """Make the rows the whole content of the bronze table."""
        identifier = ("bronze", name)
        if self.catalog.table_exists(identifier):
            self.catalog.load_table(identifier).overwrite(rows)
        else:
            location = f"file://{self.engine.directory}/lake/bronze/{name}"
            self.catalog.create_table(identifier, schema=rows.schema, location=location).append(rows)

    def edit(self, path: str, changes: Mapping[str, str]) -> None:
        """Replace text of a file of the project; fails when the text is not there."""
        file = self.directory / path
        text = file.read_text()
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        file.write_text(text)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    directory = tmp_path_factory.mktemp("lake")
    copy = directory / "dbt_project"
    shutil.copytree(PROJECT_DIR, copy, ignore=shutil.ignore_patterns("target", "logs"))
    with running_engine(directory) as engine:
        catalog = SqlCatalog(
            "lake", uri=f"sqlite:///{directory}/catalog.db", warehouse=f"file://{directory}/lake"
        )
        project = Project(copy, engine, catalog)
        for name, rows in generate(0.005, 7, TODAY).tables().items():
            project.land(f"shop__{name}", landed(rows))
        for name, rows in flights().items():
            project.land(f"flights__{name}", landed(rows))
        yield project


def landed(rows: pa.Table) -> pa.Table:
    """Types as Airbyte lands them: numeric is a double, timestamps are microseconds in UTC."""

    def kind(given: pa.DataType) -> pa.DataType:
        if pa.types.is_decimal(given):
            return pa.float64()
        return pa.timestamp("us", "UTC") if pa.types.is_timestamp(given) else given

    return rows.cast(pa.schema([(field.name, kind(field.type)) for field in rows.schema]))


def flights() -> dict[str, pa.Table]:
    """Three days of departures, and everything they refer to."""
    departures = read_flights(flights_folder()).slice(0, 2699)
    parts = (pc.utf8_lpad(departures[part].cast(pa.string()), 2, "0") for part in ("year", "month", "day"))
    days = pc.strptime(pc.binary_join_element_wise(*parts, "-"), "%Y-%m-%d", "s").cast(pa.date32())
    options = csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    others = {
        name: csv.read_csv(flights_folder() / f"{name}.csv", convert_options=options)
        for name in ("weather", "airlines", "airports", "planes")
    }
    return {"flights": departures.append_column("flight_date", days), **others}
