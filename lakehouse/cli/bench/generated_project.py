"""A copy of this lakehouse that declares a large number of tables in place of the demo's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
TEXT_COLUMNS = ("amount", "quantity", "status", "city", "note", "updated_at")
_KEPT = ("dbt_project.yml", "profiles.yml", "macros")
_BY_DAY = "{{ config(materialized='incremental', partition_by=['day']) }}\n\n"
_WHERE = "\nwhere {{ in_window('day') }}"


def write_project(folder: Path, tables: int, start: str = "2020-01-01", a_connection: int = 20) -> None:
    """Write a lakehouse of so many bronze tables, with three models and one reflection for each.

    Every other table, and what is made of it, has days from `start` on; a connection fills at most `a_connection`.
    Run it with the folder on PYTHONPATH.
    """
    shutil.copytree(
        ROOT / "lakehouse", folder / "lakehouse", ignore=shutil.ignore_patterns("__pycache__", "defs.yaml")
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    project = folder / "dbt_project"
    project.mkdir()
    for name in _KEPT:
        found = ROOT / "dbt_project" / name
        (shutil.copytree if found.is_dir() else shutil.copy)(found, project / name)
    for first in range(0, tables, a_connection):
        source = f"source{first // a_connection}"
        numbers = range(first, min(tables, first + a_connection))
        declared = folder / "lakehouse" / "defs" / "ingestion" / source / "defs.yaml"
        _write_yaml(declared, _connection(source, numbers))
        _write_yaml(project / "models" / "sources" / f"{source}.yml", _sources(source, numbers, start))
        for number in numbers:
            _write_models(project / "models", source, number, start)


def _write_yaml(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def _connection(source: str, numbers: range) -> dict[str, Any]:
    streams = [{"name": f"table{number}", "sync_mode": "incremental_append"} for number in numbers]
    configuration = {
        "sourceType": "postgres",
        "host": "db",
        "port": 5432,
        "database": source,
        "username": "u",
    }
    return {
        "type": "lakehouse.defs.ingestion.component.LakehouseAirbyteComponent",
        "attributes": {
            "source": {"name": source, "configuration": configuration},
            "connection": {"name": source, "namespace": source, "streams": streams},
        },
    }


def _sources(source: str, numbers: range, start: str) -> dict[str, Any]:
    tables = [
        {
            "name": f"{source}__table{number}",
            "description": f"Table {number}.",
            "config": {
                "meta": {
                    "lakehouse": {
                        "connection": source,
                        "stream": f"table{number}",
                        "primary_key": ["id"],
                        **_days(number, start),
                    }
                }
            },
            "columns": list(_columns(tested=False)),
        }
        for number in numbers
    ]
    declared = {"name": source, "database": "lake", "schema": "bronze", "tables": tables}
    return {"version": 2, "sources": [declared]}


def _write_models(models: Path, source: str, number: int, start: str) -> None:
    inputs = {
        "staging/stg": f"source('{source}', '{source}__table{number}')",
        "intermediate/int": f"ref('stg_{number}')",
        "marts/fct": f"ref('int_{number}')",
    }
    reflection = {
        "name": "by_status",
        "type": "aggregate",
        "dimensions": [{"column": "day", "granularity": "date"}, {"column": "status"}],
        "measures": [{"column": "amount", "computations": ["sum", "count"]}],
    }
    for place, read in inputs.items():
        folder, _, prefix = place.partition("/")
        name = f"{prefix}_{number}"
        path = models / folder / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        select = f"select id, day, {', '.join(TEXT_COLUMNS)}\nfrom {{{{ {read} }}}}"
        by_day = _days(number, start)
        path.write_text((_BY_DAY + select + _WHERE if by_day else select) + "\n")
        meta = {**by_day, **({"reflections": [reflection]} if prefix == "fct" else {})}
        model = {
            "name": name,
            "description": f"Table {number}, {folder}.",
            "config": {"meta": {"lakehouse": meta}},
            "columns": list(_columns(tested=True)),
        }
        _write_yaml(path.with_suffix(".yml"), {"version": 2, "models": [model]})


def _days(number: int, start: str) -> dict[str, Any]:
    return {"partition_by": {"column": "day", "granularity": "day", "start": start}} if number % 2 else {}


def _columns(*, tested: bool) -> Iterator[dict[str, Any]]:
    tests = {"data_tests": ["not_null", "unique"]} if tested else {}
    yield {"name": "id", "data_type": "bigint", "description": "The key.", **tests}
    yield {"name": "day", "data_type": "date", "description": "Its day."}
    for name in TEXT_COLUMNS:
        yield {"name": name, "data_type": "varchar", "description": f"The {name}."}
