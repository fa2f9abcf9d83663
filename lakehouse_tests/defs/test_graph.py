"""The whole graph: what it is made of, that it loads with nothing running, that any part of it can run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from syrupy.assertion import SnapshotAssertion

from lakehouse.defs.automation.environments import environments
from lakehouse.defs.automation.plan import nodes_of, plan
from lakehouse.defs.project import prepared_manifest
from lakehouse_tests.defs.conftest import graph_of

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]

_LOAD = """
import os, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        print(f"{event} {arguments[-1]}", file=sys.stderr)
        os._exit(9)

sys.addaudithook(refuse)
from lakehouse.definitions import defs
repository = defs().get_repository_def()
repository.load_all_definitions()
heavy = {"adbc_driver_postgresql", "boto3", "duckdb", "fsspec", "pandas", "psycopg", "pyarrow", "pyiceberg", "sqlalchemy"}
print(len(repository.asset_graph.materializable_asset_keys), *sorted(heavy & sys.modules.keys()))
"""
"""No `except` of any library can hide a call of the network from the hook."""


def test_every_asset_as_declared(graph: dg.Definitions, snapshot: SnapshotAssertion) -> None:
    assets = graph.resolve_asset_graph()
    assert {
        key.to_user_string(): describe(assets.get(key)) for key in assets.toposorted_asset_keys
    } == snapshot


def describe(node: Any) -> dict[str, Any]:
    return {
        "upstream": sorted(key.to_user_string() for key in node.parent_keys),
        "group": node.group_name,
        "kinds": sorted(node.kinds),
        "owners": sorted(node.owners),
        "tags": {name: value for name, value in node.tags.items() if not name.startswith("dagster/kind/")},
        "partitions": str(node.partitions_def) if node.partitions_def else None,
        "checks": sorted(check.name for check in node.check_keys),
        "freshness": str(node.freshness_policy),
        "one run a backfill": node.backfill_policy == dg.BackfillPolicy.single_run(),
        "pools": sorted(node.pools or ()),
        "op": node.assets_def.op.name,
        "described": bool(node.description),
    }


@pytest.mark.parametrize("environment", ["local", "production"])
def test_what_runs_by_itself(environment: str, snapshot: SnapshotAssertion) -> None:
    repository = graph_of(environment).get_repository_def()
    graph = repository.asset_graph
    assert {
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": {
            schedule.name: f"{schedule.cron_schedule} {schedule.execution_timezone}, {schedule.default_status.value}"
            for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name)
        },
        "sensors": {
            sensor.name: f"every {sensor.minimum_interval_seconds} s, {sensor.default_status.value}"
            for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name)
        },
        "conditions": {
            key.to_user_string(): condition.get_label()
            for key in graph.toposorted_asset_keys
            if (condition := graph.get(key).automation_condition)
        },
    } == snapshot


def test_every_condition_is_evaluated_by_one_of_our_sensors() -> None:
    """Dagster would make a sensor of its own for the others, and leave it off."""
    for environment in environments():
        repository = graph_of(environment).get_repository_def()
        assert not any(
            sensor.name == "default_automation_condition_sensor" for sensor in repository.sensor_defs
        )


def test_every_asset_has_an_owner_and_a_freshness_policy(graph: dg.Definitions) -> None:
    for spec in graph.resolve_all_asset_specs():
        assert spec.owners, spec.key
        assert spec.freshness_policy, spec.key


def test_a_job_of_each_single_asset_resolves(graph: dg.Definitions) -> None:
    job = graph.resolve_implicit_global_asset_job_def()
    for key in graph.resolve_asset_graph().get_all_asset_keys():
        subset = job.get_subset(asset_selection={key})
        assert subset.asset_layer.selected_asset_keys == {key}


def test_every_dbt_test_of_a_model_is_a_check(graph: dg.Definitions) -> None:
    manifest = json.loads(prepared_manifest().read_text())
    declared = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and any(key.startswith("model.") for key in node["depends_on"]["nodes"])
    }
    checks = {check.name for node in graph.resolve_asset_graph().asset_nodes for check in node.check_keys}
    assert declared - checks == set()


def test_five_dbt_invocations_build_everything(graph: dg.Definitions) -> None:
    nodes = nodes_of(graph)
    stages = plan(nodes, nodes)
    done: set[dg.AssetKey] = set()
    for stage in stages:
        for key in stage.keys:
            assert nodes[key].upstream <= done | set(stage.keys)
        done |= set(stage.keys)
    assert done == set(nodes)
    assert sum(stage.batch is not None for stage in stages) == 5


def test_it_loads_without_a_network_and_without_the_libraries_that_do_the_work(tmp_path: Path) -> None:
    """Modules of lakehouse/defs are all imported to load the graph: they import heavy libraries in functions."""
    prepared_manifest()
    loaded = run([sys.executable, "-c", _LOAD], tmp_path)
    assert loaded.returncode == 0, loaded.stderr[-2000:]
    assets, *heavy = loaded.stdout.split()
    assert int(assets) > 40
    assert heavy == []


def test_dagster_validates_it_with_every_service_down(tmp_path: Path) -> None:
    nobody = {
        "LAKEHOUSE_DREMIO__PORT": "1",
        "LAKEHOUSE_DREMIO__FLIGHT_PORT": "1",
        "LAKEHOUSE_AIRBYTE__URL": "http://127.0.0.1:1",
        "LAKEHOUSE_POSTGRES__PORT": "1",
    }
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "lakehouse.definitions"]
    validated = run(command, tmp_path, **nobody)
    assert validated.returncode == 0, validated.stderr[-2000:]


def run(command: list[str], home: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "LAKEHOUSE_HOME": str(home), "DAGSTER_HOME": str(home), **environ},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
