"""DAGSTER_HOME of the stack: a file that Dagster accepts, and that people may take over."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lakehouse.embedded.dagster_home import dagster_home, write_dagster_home


@pytest.mark.slow
def test_dagster_accepts_it(tmp_path: Path) -> None:
    import dagster as dg

    directory = dagster_home(tmp_path)
    with dg.DagsterInstance.from_config(str(directory)) as instance:
        assert instance.telemetry_enabled is False
        assert instance.run_monitoring_enabled is True
        assert instance.freshness_enabled is True


def test_workspace_leads_to_the_code_server(tmp_path: Path) -> None:
    directory = write_dagster_home(tmp_path, code_host="127.0.0.1", code_port=4266)
    loaded = yaml.safe_load((directory / "workspace.yaml").read_text())
    assert loaded["load_from"] == [
        {"grpc_server": {"host": "127.0.0.1", "port": 4266, "location_name": "lakehouse"}}
    ]


def test_a_file_without_our_first_line_is_somebody_elses(tmp_path: Path) -> None:
    path = dagster_home(tmp_path) / "dagster.yaml"
    path.write_text("telemetry:\n  enabled: false\n")
    dagster_home(tmp_path)
    assert path.read_text() == "telemetry:\n  enabled: false\n"
