"""The Airbyte-compatible server: `serve` runs it in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from lakehouse.embedded.airbyte.api.application import application
from lakehouse.embedded.airbyte.attempts import Retries
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.connectors.registry import Registry
from lakehouse.embedded.airbyte.credentials import Credentials, load_credentials
from lakehouse.embedded.airbyte.logs import SERVICE, log_to_stderr
from lakehouse.embedded.airbyte.recovery import empty_scratch, recover
from lakehouse.embedded.airbyte.scheduler import Scheduler
from lakehouse.embedded.airbyte.service import Service
from lakehouse.embedded.airbyte.store import Store
from lakehouse.embedded.airbyte.timetable import Timetable
from lakehouse.embedded.airbyte.tuning import Tuning
from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.ports import Port, require_free

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 600
"""Clients keep idle connections in a pool: one that is closed in the moment of its next use would fail a request."""
_PREDECESSOR_SECONDS = 5  # a server that is stopping may still hold the home


@dataclass(frozen=True)
class AirbyteServerConfig:
    """Everything the server needs. `home` holds database, credentials and job logs, and belongs to it alone.

    An attempt of a job runs for at most `job_timeout_seconds`. `connectors` adds source types as commands that
    speak the Airbyte protocol; `direct` lets the built-in sources hand over Arrow batches instead of printing
    records.
    """

    home: Path
    host: str = "127.0.0.1"
    port: int = 8000
    user: str = "airbyte"
    password: str = field(default="", repr=False)
    workspace_id: str | None = None
    workers: int = 2
    job_timeout_seconds: float = 3600
    retries: Retries = field(default_factory=Retries)
    tuning: Tuning = field(default_factory=Tuning)
    connectors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    direct: bool = True


def serve(config: AirbyteServerConfig) -> None:
    """Runs the server until it is told to stop.

    Raises:
        EmbeddedError: no password, another workspace id than the home has, another server on the same home,
            or the port is taken.
    """
    if not config.password:
        raise EmbeddedError("the password is empty", where=SERVICE)
    log_to_stderr()
    with _owned(config.home):
        require_free(Port(config.port, SERVICE, "LAKEHOUSE_AIRBYTE__URL or --port", config.host))
        credentials = load_credentials(config.home, config.user, config.password, config.workspace_id)
        server = uvicorn.Server(
            uvicorn.Config(
                _application(config, credentials),
                host=config.host,
                port=config.port,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=5,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )
        logger.info(
            "listening on http://%s:%s, workspace %s", config.host, config.port, credentials.workspace_id
        )
        server.run()


def _application(config: AirbyteServerConfig, credentials: Credentials) -> ASGIApp:
    store = Store(config.home)
    store.create_schema()
    if store.row("SELECT 1 FROM workspaces") is None:
        workspace = {"id": credentials.workspace_id, "name": "Default Workspace", "created_at": epoch_ms()}
        store.insert("workspaces", workspace)
    scheduler = Scheduler(
        store,
        config.home,
        workers=config.workers,
        timeout_seconds=config.job_timeout_seconds,
        retries=config.retries,
        tuning=config.tuning,
        connectors=config.connectors,
        direct=config.direct,
    )
    service = Service(store, scheduler, Registry(config.connectors, config.home), empty_scratch(config.home))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        recover(store, config.retries)
        timetable = asyncio.create_task(Timetable(store, service.jobs, scheduler).run())
        yield
        timetable.cancel()
        with suppress(asyncio.CancelledError):
            await timetable
        service.actors.stop()
        await scheduler.stop()
        store.close()

    return application(service, credentials, lifespan)


@contextmanager
def _owned(home: Path) -> Iterator[None]:
    """Holds the home against a second server; the lock ends with the process, however it ends."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(home / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, home)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, home: Path) -> None:
    deadline = time.monotonic() + _PREDECESSOR_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                problem = f"{home} is in use by another server"
                raise EmbeddedError(
                    problem, where=SERVICE, remedy="stop it, or give another --home"
                ) from None
            time.sleep(0.05)
        else:
            return
