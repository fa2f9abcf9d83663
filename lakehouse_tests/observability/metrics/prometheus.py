"""A real Prometheus for tests: Debian's package."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lakehouse.embedded.ports import free_port
from lakehouse_tests.embedded.airbyte.fixtures import eventually
from lakehouse_tests.promql import required


@dataclass
class Prometheus:
    """One server."""

    port: int

    def query(self, expression: str) -> dict[str, float]:
        """The values now, by the label `subject`, `source`, `connection`, `route` or none of them."""
        found = self._get("query", query=expression)["result"]
        names = ("subject", "source", "connection", "route")
        return {
            next((one["metric"][name] for name in names if name in one["metric"]), ""): float(one["value"][1])
            for one in found
        }

    def alerts(self) -> dict[str, str]:
        """The state of each alert, `pending` or `firing`, by its name and subject."""
        return {
            f"{one['labels']['alertname']}/{one['labels']['subject']}": one["state"]
            for one in self._get("alerts")["alerts"]
        }

    def _get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=parameters)
        return answer.raise_for_status().json()["data"]

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/-/ready").is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running_prometheus(folder: Path, config: dict[str, Any]) -> Iterator[Prometheus]:
    """A server until the end of the block."""
    program = required("prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(json.dumps(config))
    server = Prometheus(free_port())
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{server.port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        eventually(server.is_ready, 60)
        yield server
    finally:
        process.terminate()
        process.wait(30)
