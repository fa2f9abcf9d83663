"""An Elasticsearch for tests: the one of LAKEHOUSE_ES_URL, and an independent peer of its protocol, noida-db."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import httpx

from lakehouse.embedded.ports import free_port

REAL_URL = os.environ.get("LAKEHOUSE_ES_URL")  # at import: tests run without the user's variables


class ElasticsearchPeer:
    """Keeps what it has in the folder when it is stopped; killed, it would lose the last second of writes."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # The program itself: the script of that name in `bin` leaves it running when it is stopped.
        program = Path(str(files("noida_db").joinpath("noida-db")))
        program.chmod(0o755)
        arguments = ("--only", "elasticsearch", "--elasticsearch-port", str(self._port))
        self._process = subprocess.Popen(
            [program, "start", "--data-dir", str(self._folder), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(300):
            assert self._process.poll() is None, "noida-db ended"
            try:
                if httpx.get(self.url, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"noida-db does not answer at {self.url}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def stop_when(self, documents: int) -> None:
        """Stop it as soon as it holds so many."""
        for _ in range(50):
            httpx.post(f"{self.url}/_refresh", trust_env=False)
            if httpx.get(f"{self.url}/_count", trust_env=False).json()["count"] >= documents:
                break
            time.sleep(0.01)
        self.stop()


@contextmanager
def elasticsearch_peer(folder: Path) -> Iterator[str]:
    """The address of a running one."""
    peer = ElasticsearchPeer(folder)
    try:
        peer.start()
        yield peer.url
    finally:
        peer.stop()
