"""An ASGI application behind a real server, in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp

from lakehouse.api.server import configuration
from lakehouse_tests.engine import free_port


@contextmanager
def served(app: ASGIApp, token: str | None = None) -> Iterator[httpx.Client]:
    """A client of it; with a token it sends that."""
    port = free_port()
    server = uvicorn.Server(configuration(app, "127.0.0.1", port))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.01)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60, trust_env=False
        ) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(20)
