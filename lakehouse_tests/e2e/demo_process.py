"""`lakehouse` in processes of its own, with a home and ports of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakehouse.settings import Settings, load_settings
from lakehouse_tests.engine import free_port

SCALE = "0.02"
COMMAND = (sys.executable, "-m", "lakehouse.cli")


@dataclass
class Home:
    """One home directory with free ports."""

    path: Path
    project: Path | None = None
    """A copy of the repository whose declarations a test changes; None runs the repository itself."""
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = {name: str(free_port()) for name in ("POSTGRES__PORT", "DREMIO__PORT", "DREMIO__FLIGHT_PORT")}
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")},
            **{f"LAKEHOUSE_{name}": port for name, port in ports.items()},
            "LAKEHOUSE_AIRBYTE__URL": f"http://127.0.0.1:{free_port()}",
            "LAKEHOUSE_DAGSTER__PORT": str(free_port()),
            "LAKEHOUSE_API__PORT": str(free_port()),
            "LAKEHOUSE_HOME": str(self.path),
        }
        if self.project is not None:
            self.environ["PYTHONPATH"] = str(self.project)

    def run(self, *arguments: str, timeout: float = 280) -> subprocess.CompletedProcess[str]:
        """A command run to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.project,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on; its lines come on stdout."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.project,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def query(self, sql: str) -> Any:
        """Rows as `lakehouse query --format json` prints them."""
        done = self.run("query", sql, "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def settings(self, monkeypatch: Any) -> Settings:
        """The settings as the processes see them."""
        for name, value in self.environ.items():
            if name.startswith("LAKEHOUSE_"):
                monkeypatch.setenv(name, value)
        return load_settings(self.path)


def kill_after_line(process: subprocess.Popen[str], begins: str, nth: int, seconds: float) -> list[str]:
    """kill -9 the process `seconds` after its nth line with this beginning; gives the lines it printed."""
    lines: list[str] = []
    assert process.stdout is not None
    found = 0
    for line in process.stdout:
        lines.append(line)
        found += begins in line
        if found == nth:
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            lines += process.stdout.readlines()
            timer.join()
            break
    process.wait(30)
    return lines
