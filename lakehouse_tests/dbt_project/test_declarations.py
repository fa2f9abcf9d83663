"""What the project promises on paper: names, descriptions, types, and a parse that needs nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakehouse.catalog.datasets import BronzeTable, Model
from lakehouse.defs.project import PROJECT_DIR, declared_datasets, prepared_manifest

CATALOG = declared_datasets()
DATASETS: list[BronzeTable | Model] = [*CATALOG.bronze, *CATALOG.models]
DAYS_OF = {
    "order_date": {"stg_orders", "stg_order_items", "int_customer_orders", "fct_orders", "fct_daily_revenue"},
    "flight_date": {"stg_flights", "fct_departures", "fct_daily_punctuality"},
}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return json.loads(prepared_manifest().read_text())


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda dataset: str(dataset.relation))
def test_everything_is_described_typed_owned_and_has_a_freshness(dataset: BronzeTable | Model) -> None:
    assert dataset.description
    assert dataset.owner
    assert dataset.freshness
    assert dataset.columns
    for column in dataset.columns:
        assert column.description, column.name
        assert column.type, column.name


def test_a_file_that_is_gone_is_noticed(tmp_path: Path) -> None:
    project = tmp_path / "dbt"
    made = shutil.ignore_patterns("target", "logs")
    shutil.copytree(PROJECT_DIR, project, ignore=made)
    gone = project / "models" / "staging" / "one_more.sql"
    gone.write_text("select 1 as id")
    assert "model.lakehouse.one_more" in json.loads(prepared_manifest(project).read_text())["nodes"]
    parsed = prepared_manifest(project).stat().st_mtime_ns
    assert prepared_manifest(project).stat().st_mtime_ns == parsed
    gone.unlink()
    assert "model.lakehouse.one_more" not in json.loads(prepared_manifest(project).read_text())["nodes"]


def test_names_have_three_parts_in_lower_case(manifest: dict[str, Any]) -> None:
    for node in [*manifest["nodes"].values(), *manifest["sources"].values()]:
        if node["resource_type"] == "test":
            continue
        layer = node["schema"]
        assert layer in ("bronze", "silver", "gold")
        name = node.get("identifier") or node["alias"]
        assert node["relation_name"] == f'"lake"."{layer}"."{name}"'
        assert name == name.lower()


def test_models_of_days_declare_and_write_the_same_days(manifest: dict[str, Any]) -> None:
    declared = {model.name: model.partition_by.column for model in CATALOG.models if model.partition_by}
    assert declared == {name: column for column, names in DAYS_OF.items() for name in names}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            config = node["config"]
            assert (config["materialized"] == "incremental") == (node["name"] in declared)
            assert config.get("partition_by", [None])[0] == declared.get(node["name"])


def test_reflections_say_how_to_see_that_they_work() -> None:
    reflections = [(model, reflection) for model in CATALOG.models for reflection in model.reflections]
    assert {reflection.name for _, reflection in reflections} == {
        "agg_daily_revenue",
        "raw_customers",
        "agg_departures",
    }
    for model, reflection in reflections:
        assert reflection.sample_query
        assert "{relation}" in reflection.sample_query
        used = {item.column for item in (*reflection.dimensions, *reflection.measures)} | {
            *reflection.display
        }
        assert used <= {column.name for column in model.columns}


def test_tests_are_thrifty(manifest: dict[str, Any]) -> None:
    # dbt-dremio sleeps 0.25 s for each.
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    assert 40 <= len(tests) <= 60


@pytest.mark.slow
def test_it_parses_without_settings_and_without_a_network(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dbt.cli.main",
            "parse",
            "--project-dir",
            str(project),
            "--profiles-dir",
            str(project),
        ],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Deprecat" not in done.stdout
    assert "WARN" not in done.stdout
