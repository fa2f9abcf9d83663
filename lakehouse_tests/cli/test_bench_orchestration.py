"""The benchmarks of orchestration: which there are, and the project that they generate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.cli.bench.generated_project import write_project
from lakehouse.cli.bench.orchestration import measure
from lakehouse.cli.bench.orchestration_load import LOAD
from lakehouse.cli.bench.scale_history import write_history
from lakehouse.defs.automation.history import History
from lakehouse.embedded.dagster_home import dagster_home
from lakehouse.errors import ConfigurationError


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match="unknown case speed; known are load, scale, backfill, changes, soak"
    ):
        measure(["speed"])


@pytest.mark.slow
def test_a_written_history_is_one_that_dagster_reads(tmp_path: Path) -> None:
    home = dagster_home(tmp_path)
    days = dg.DailyPartitionsDefinition("2025-01-01", end_date="2025-01-11")
    codes = {dg.AssetKey("raw"): None, dg.AssetKey("made"): "3"}
    with dg.DagsterInstance.from_config(str(home)) as instance:
        write_history(instance, home, codes, days)
        history = History(instance)
        raw, made = (history.days_made_at(key) for key in codes)
        assert raw.keys() == made.keys() == set(days.get_partition_keys())
        assert max(raw.values()) < min(made.values())
        for key, code in codes.items():
            assert history.made_at(key) == max(history.days_made_at(key).values())
            assert history.unfinished_days(key, days) == set()
            assert not history.is_recoded(key, code)
        assert history.is_recoded(dg.AssetKey("made"), "4")


@pytest.mark.slow
def test_the_generated_project_loads(tmp_path: Path) -> None:
    write_project(tmp_path, 3)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "LAKEHOUSE_HOME": str(tmp_path / "home")}
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert loaded.returncode == 0, loaded.stderr[-2000:]
    layers = Counter(json.loads(loaded.stdout))
    assert layers == {"landing": 3, "bronze": 3, "silver": 6, "gold": 3, "reflections": 3}
