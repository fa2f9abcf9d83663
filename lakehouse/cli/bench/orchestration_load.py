"""How long Dagster's definitions take to load in a new interpreter, with the shop and with a large project."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lakehouse.cli.bench.generated_project import write_project
from lakehouse.cli.bench.result import Result, at_most
from lakehouse.errors import PermanentError

ROOT = Path(__file__).parents[3]
TABLES = 100
"""Bronze tables of the large project, each with three models and a reflection."""
_SHOP_SECONDS, _LARGE_SECONDS, _PARSE_SECONDS = 6.0, 15.0, 60.0
_TIMES = 3
_PARSE = "from lakehouse.defs.project import prepared_manifest; prepared_manifest()"
LOAD = """
import json
from lakehouse.definitions import defs
repository = defs().get_repository_def()
repository.load_all_definitions()
print(json.dumps([key.path[0] for key in repository.asset_graph.materializable_asset_keys]))
"""


def load() -> list[Result]:
    """The median of three loads with a manifest that is current; dbt's parse of the large project apart."""
    _seconds(_PARSE, ROOT)
    shop, _ = _loaded(ROOT)
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as directory:
        project = Path(directory)
        write_project(project, TABLES)
        parse, _ = _seconds(_PARSE, project)
        large, layers = _loaded(project)
    found = {layer: layers.count(layer) for layer in ("bronze", "silver", "gold", "reflections")}
    if found != {"bronze": TABLES, "silver": 2 * TABLES, "gold": TABLES, "reflections": TABLES}:
        raise PermanentError(f"the large project loaded as {found}", where="bench orchestration")
    return [
        at_most("orchestration.load.shop", shop, _SHOP_SECONDS, goal=1.0, of="the goal"),
        at_most("orchestration.load.large", large, _LARGE_SECONDS, goal=1.0, of="the goal"),
        at_most("orchestration.load.large.dbt_parse", parse, _PARSE_SECONDS, goal=1.0, of="a minute"),
    ]


def _loaded(project: Path) -> tuple[float, list[str]]:
    """Seconds, and the layer of every asset."""
    loads = [_seconds(LOAD, project) for _ in range(_TIMES)]
    return statistics.median(seconds for seconds, _ in loads), json.loads(loads[0][1])


def _seconds(code: str, project: Path) -> tuple[float, str]:
    """How long a new interpreter takes from its start to its end, and what it prints."""
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as home:
        environ = {**os.environ, "PYTHONPATH": str(project), "LAKEHOUSE_HOME": home}
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=project,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
    if done.returncode:
        raise PermanentError(" ".join(done.stderr.split())[-800:], where="bench orchestration")
    return seconds, done.stdout
