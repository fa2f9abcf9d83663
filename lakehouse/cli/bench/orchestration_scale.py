"""2,000 days of 100 assets: the page of an asset in the UI, a tick of changes, and what looks for stale assets."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from lakehouse.cli.bench.generated_project import write_project
from lakehouse.cli.bench.home import BenchHome, bench_home
from lakehouse.cli.bench.result import Result, at_most
from lakehouse.errors import PermanentError

DAYS, TABLES = 2_000, 50
"""Every other table has days, and so have its three models: 100 assets."""
_SECONDS = 2.0
_TIMES = 5
_CONNECTIONS = 6
"""What a browser opens to one server."""
_ASSETS = (("bronze", "source0", "table1"), ("silver", "int_25"), ("gold", "fct_49"))
_PAGE = Path(__file__).with_name("asset_page.json")
"""What the UI of Dagster 1.13 asks to show the partitions of an asset, as a browser sent it."""
_HISTORY = """
import json, sys, time
from pathlib import Path
import dagster as dg
from lakehouse.cli.bench.scale_history import write_history
from lakehouse.cli.bench.scale_tick import tick_seconds
from lakehouse.defs.automation.plan import nodes_of
from lakehouse.defs.automation.stale import stale_models
from lakehouse.definitions import defs
from lakehouse.embedded.dagster_home import dagster_home

home = dagster_home(Path(sys.argv[1]))
instance, graph = dg.DagsterInstance.from_config(str(home)), defs()
nodes = nodes_of(graph)
keys = [key for key, node in nodes.items() if node.partitions]
write_history(instance, home, {key: nodes[key].code_version for key in keys}, nodes[keys[0]].partitions)
seconds = []
for _ in range(4):
    started = time.monotonic()
    stale = stale_models(graph, instance)
    seconds.append(time.monotonic() - started)
days = nodes[keys[0]].partitions.get_partition_keys()
behind = sum(len(stale[key].days) for key in keys if key in stale)
told = {"assets": len(keys), "days": len(days), "behind": behind, "seconds": seconds}
if not behind:
    told["ticks"] = tick_seconds(graph, instance, days)
print(json.dumps(told))
"""


def scale() -> list[Result]:
    """Against an instance as `lakehouse up` makes it, with one materialization of every day of every asset.

    Raises:
        PermanentError: the history is not what it should be, or the web server answers with an error.
    """
    start = (datetime.now(UTC) - timedelta(days=DAYS - 1)).date().isoformat()
    with bench_home() as home, tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as directory:
        project = Path(directory)
        write_project(project, TABLES, start, a_connection=TABLES)
        told = _history(home, project)
        if (told["assets"], told["days"], told["behind"]) != (4 * TABLES // 2, DAYS, 0):
            raise PermanentError(f"the history is {told}", where="bench orchestration")
        with _web_server(home, project) as address:
            first, later = _page_seconds(address)
    return [
        at_most("orchestration.scale.asset_page", later, _SECONDS, goal=1.0, of="the goal"),
        at_most("orchestration.scale.asset_page.first", first, _SECONDS, goal=1.0, of="the goal"),
        *(
            at_most(f"orchestration.scale.tick.{name}", seconds, _SECONDS, goal=1.0, of="the goal")
            for name, seconds in told["ticks"].items()
        ),
        at_most(
            "orchestration.scale.stale_models",
            statistics.median(told["seconds"]),
            _SECONDS,
            goal=1.0,
            of="the goal",
        ),
    ]


def _history(home: BenchHome, project: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _HISTORY, str(home.path)],
        cwd=project,
        env={**home.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PermanentError(" ".join(done.stderr.split())[-800:], where="bench orchestration")
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def _web_server(home: BenchHome, project: Path) -> Iterator[str]:
    """The code server and the web server of the stack, without the daemon: nothing runs but what is asked."""
    from lakehouse.cli.services import DEFINITIONS
    from lakehouse.embedded.ports import free_port
    from lakehouse.embedded.services import DAGSTER_DAEMON, dagster_services
    from lakehouse.embedded.stack import Stack

    port = free_port()
    env = {"PYTHONPATH": str(project), "LAKEHOUSE_HOME": str(home.path)}
    services = dagster_services(home.path, DEFINITIONS, host="127.0.0.1", port=port, env=env)
    with Stack(home.path, [service for service in services if service.name != DAGSTER_DAEMON]):
        yield f"http://127.0.0.1:{port}/graphql"


def _page_seconds(address: str) -> tuple[float, float]:
    """Of an asset that is looked at for the first time, and the median of later looks at three assets."""
    with httpx.Client(timeout=120) as client, ThreadPoolExecutor(_CONNECTIONS) as browser:

        def ask(request: dict[str, Any]) -> None:
            answer = client.post(address, json=request).raise_for_status().json()
            if answer.get("errors"):
                raise PermanentError(str(answer["errors"])[:400], where=request["operationName"])

        def look(key: tuple[str, ...]) -> float:
            started = time.monotonic()
            list(browser.map(ask, _page_of(key)))
            return time.monotonic() - started

        first = look(_ASSETS[0])
        return first, statistics.median([look(key) for _ in range(_TIMES) for key in _ASSETS])


def _page_of(key: tuple[str, ...]) -> list[dict[str, Any]]:
    """The recorded requests, for another asset."""
    requests = json.loads(_PAGE.read_text())
    for request in requests:
        variables = request["variables"]
        if "assetKey" in variables:
            variables["assetKey"] = {"path": key}
        if "assetKeys" in variables:
            variables["assetKeys"] = [{"path": key}]
    return list(requests)
