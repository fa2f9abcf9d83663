"""An Elasticsearch for tests: the one of LAKEHOUSE_ES_URL, and an independent peer of its protocol, noida-db."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from lakehouse.embedded.ports import free_port

REAL_URL = os.environ.get("LAKEHOUSE_ES_URL")  # at import: tests run without the user's variables


@contextmanager
def elasticsearch_peer(folder: Path, port: int | None = None) -> Iterator[str]:
    """Its address. It keeps what it has in the folder, and loses the last second of writes when it is killed."""
    port = port or free_port()
    program = Path(sys.executable).with_name("noida-db")
    arguments = ("--data-dir", str(folder), "--only", "elasticsearch", "--elasticsearch-port", str(port))
    process = subprocess.Popen(
        [program, "start", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "noida-db ended"
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"noida-db does not answer at {url}")
