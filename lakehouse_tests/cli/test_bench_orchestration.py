"""The benchmarks of orchestration: which there are, and the project that they generate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lakehouse.cli.bench.generated_project import write_project
from lakehouse.cli.bench.orchestration import measure
from lakehouse.cli.bench.orchestration_load import LOAD
from lakehouse.errors import ConfigurationError


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown case speed; known are load, backfill"):
        measure(["speed"])


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
