"""The real dbt project on a real engine, over bronze tables written with pyiceberg as Airbyte lands them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from lakehouse.defs.project import PROJECT_DIR
from lakehouse.demo.generator import generate
from lakehouse.demo.truth import flights_folder, read_flights
from lakehouse_tests.engine import PASSWORD, USER, Engine, running_engine
from lakehouse_tests.warehouse import Warehouse

TODAY = date(2025, 6, 30)


class Project(Warehouse):
    """A copy of the project that tests may edit, and the lake it builds into."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        super().__init__(directory, engine)
        self.project_dir = directory / "dbt_project"
        shutil.copytree(PROJECT_DIR, self.project_dir, ignore=shutil.ignore_patterns("target", "logs"))

    def dbt(
        self, *arguments: str, program: tuple[str, ...] = ("-m", "dbt.cli.main")
    ) -> subprocess.CompletedProcess[str]:
        variables = {"HOST": "127.0.0.1", "PORT": str(self.engine.port), "USER": USER, "PASSWORD": PASSWORD}
        where = ["--project-dir", str(self.project_dir), "--profiles-dir", str(self.project_dir)]
        return subprocess.run(
            [sys.executable, *program, *arguments, *where],
            env={**os.environ, **{f"LAKEHOUSE_DREMIO__{name}": value for name, value in variables.items()}},
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *arguments: str, days: tuple[date, date] | None = None) -> None:
        """`dbt run` of a window (end exclusive); fails with dbt's output."""
        window = json.dumps({"min_date": str(days[0]), "max_date": str(days[1])}) if days else "{}"
        done = self.dbt("run", "--vars", window, *arguments)
        assert done.returncode == 0, done.stdout[-3000:]

    def edit(self, path: str, changes: Mapping[str, str]) -> None:
        """Replace text of a file of the project; fails when the text is not there."""
        file = self.project_dir / path
        text = file.read_text()
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        file.write_text(text)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    directory = tmp_path_factory.mktemp("lake")
    with running_engine(directory) as engine:
        project = Project(directory, engine)
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
