"""A real Alertmanager for tests: Debian's prometheus-alertmanager."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakehouse.embedded.ports import free_port
from lakehouse_tests.embedded.airbyte.fixtures import eventually

PROGRAM = "prometheus-alertmanager"


def telling(hook: str) -> dict[str, Any]:
    """A configuration that tells one webhook everything at once."""
    route = {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "200ms"}
    return {
        "route": route,
        "receivers": [{"name": "hook", "webhook_configs": [{"url": hook, "send_resolved": True}]}],
    }


@dataclass
class Alertmanager:
    """One server."""

    folder: Path
    config: dict[str, Any]
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        (self.folder / "alertmanager.yml").write_text(json.dumps(self.config))
        self.process = subprocess.Popen(
            [
                PROGRAM,
                f"--config.file={self.folder / 'alertmanager.yml'}",
                f"--storage.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--cluster.listen-address=",
            ],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
        )
        eventually(self._is_ready, 30)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    def alerts(self) -> dict[str, dict[str, Any]]:
        """What it has that is not over, by name and subject."""
        found = httpx.get(f"{self.url}/api/v2/alerts").raise_for_status().json()
        return {f"{one['labels']['alertname']}/{one['labels']['subject']}": one for one in found}

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running_alertmanager(folder: Path, config: dict[str, Any]) -> Iterator[Alertmanager]:
    """A server until the end of the block."""
    if shutil.which(PROGRAM) is None:
        problem = f"no {PROGRAM} here; it is a package of Debian's"
        if "alertmanager" in os.environ.get("TESTS_REQUIRE", "").split(","):
            pytest.fail(problem)
        pytest.skip(problem)
    folder.mkdir(parents=True)
    server = Alertmanager(folder, config, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()
