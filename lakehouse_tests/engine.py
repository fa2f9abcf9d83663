"""A real engine process for tests, and a small REST client of its own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from lakehouse.embedded.ports import free_port

USER, PASSWORD = "tester", "a-password-of-the-tests"


class Engine:
    """The engine in a process of its own, with a source `lake` of folders bronze, silver and gold."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.flight_port = free_port(), free_port()
        self.start()
        config = {"uri": f"sqlite:///{directory}/catalog.db", "warehouse": f"file://{directory}/lake"}
        self.post(
            "/api/v3/catalog",
            {"entityType": "source", "name": "lake", "type": "SQLCATALOG", "config": config},
        )
        for folder in ("bronze", "silver", "gold"):
            self.post("/api/v3/catalog", {"entityType": "folder", "path": ["lake", folder]})

    def start(self) -> None:
        password = self.directory / "password"
        password.write_text(PASSWORD + "\n")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "lakehouse.cli",
                "serve",
                "dremio",
                "--home",
                str(self.directory / "home"),
                "--port",
                str(self.port),
                "--flight-port",
                str(self.flight_port),
                "--user",
                USER,
                "--password-file",
                str(password),
            ],
            stderr=subprocess.DEVNULL,
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=120)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                if self.http.get("/apiv2/server_status").is_success:
                    break
            assert self.process.poll() is None, "the engine died at its start"
            assert time.monotonic() < deadline, "the engine does not answer"
            time.sleep(0.05)
        login = self.http.post("/apiv2/login", json={"userName": USER, "password": PASSWORD}).json()
        self.http.headers["Authorization"] = f"_dremio{login['token']}"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(20)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def job(self, sql: str) -> dict[str, Any]:
        """The finished job, whatever its state."""
        job_id = self.post("/api/v3/sql", {"sql": sql})["id"]
        return {**self.http.get(f"/api/v3/job/{job_id}").json(), "id": job_id}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The result's rows; fails with the engine's message."""
        job = self.job(sql)
        assert job["jobState"] == "COMPLETED", job.get("errorMessage")
        answer = self.http.get(f"/api/v3/job/{job['id']}/results", params={"limit": 500}).json()
        return [tuple(row.values()) for row in answer["rows"]]

    def error(self, sql: str) -> str:
        """The message of a statement that must fail."""
        job = self.job(sql)
        assert job["jobState"] == "FAILED"
        return str(job["errorMessage"])


@contextlib.contextmanager
def running_engine(directory: Path) -> Iterator[Engine]:
    engine = Engine(directory)
    try:
        yield engine
    finally:
        if engine.process.poll() is None:
            engine.stop()
