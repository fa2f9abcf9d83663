"""The Dremio-compatible local engine: `serve` runs it in the foreground until SIGTERM or SIGINT."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from lakehouse.embedded.dremio.auth import Authenticator
from lakehouse.embedded.dremio.engine import Engine
from lakehouse.embedded.dremio.executor import Executor
from lakehouse.embedded.dremio.flight import FlightServer
from lakehouse.embedded.dremio.jobs import Jobs
from lakehouse.embedded.dremio.namespace import Namespace
from lakehouse.embedded.dremio.reflections import Reflections
from lakehouse.embedded.dremio.rest.application import application
from lakehouse.embedded.dremio.rest.catalog import CatalogApi
from lakehouse.embedded.dremio.rest.jobs import JobApi
from lakehouse.embedded.dremio.rest.reflections import ReflectionApi
from lakehouse.embedded.dremio.scan import FileLists
from lakehouse.embedded.dremio.store import Store
from lakehouse.embedded.dremio.system import SystemTables
from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.json_lines import emit
from lakehouse.embedded.ports import Port, require_free

SERVICE = "dremio"
KEEP_ALIVE_SECONDS = 600
"""Clients keep idle connections in a pool: one that is closed in the moment of its next use would fail a query."""
_PREDECESSOR_SECONDS = 5  # an engine that is stopping may still hold the home


@dataclass(frozen=True)
class DremioServerConfig:
    """Everything the engine needs. `home` holds its state, reflections and results, and belongs to it alone."""

    home: Path
    host: str = "127.0.0.1"
    port: int = 9047
    flight_port: int = 32010
    user: str = "lakehouse"
    password: str = field(default="", repr=False)


def serve(config: DremioServerConfig) -> None:
    """Run until told to stop.

    Raises:
        EmbeddedError: no password, another engine on the same home, or a port is taken.
    """
    if not config.password:
        raise EmbeddedError("the password is empty", where=SERVICE)
    with _owned(config.home):
        require_free(Port(config.port, "dremio REST", "LAKEHOUSE_DREMIO__PORT or --port", config.host))
        require_free(
            Port(
                config.flight_port,
                "dremio Flight",
                "LAKEHOUSE_DREMIO__FLIGHT_PORT or --flight-port",
                config.host,
            )
        )
        _serve(config)


def _serve(config: DremioServerConfig) -> None:
    store = Store(config.home)
    executor = Executor(config.home)
    namespace = Namespace(store, executor)
    system = SystemTables(namespace, store)
    reflections = Reflections(config.home, store, executor)
    engine = Engine(namespace, executor, system, reflections, FileLists())
    reflections.start(engine.resolver)
    jobs = Jobs(config.home, store, engine)
    authenticator = Authenticator(store, config.user, config.password)
    catalog = CatalogApi(store, engine, system)
    app = application(authenticator, JobApi(jobs), catalog, ReflectionApi(reflections, catalog))
    flight = FlightServer(config.host, config.flight_port, authenticator, jobs)
    threading.Thread(target=flight.serve, name="flight", daemon=True).start()
    rest = uvicorn.Server(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )
    emit(
        SERVICE,
        f"listening on http://{config.host}:{config.port} and grpc://{config.host}:{config.flight_port}",
    )
    try:
        rest.run()
    finally:
        jobs.stop()
        reflections.stop()
        flight.shutdown()
        executor.close()


@contextmanager
def _owned(home: Path) -> Iterator[None]:
    """Holds the home against a second engine; the lock ends with the process, however it ends."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(home / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _PREDECESSOR_SECONDS
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"{home} is in use by another engine",
                        where=SERVICE,
                        remedy="stop it, or give another --home",
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
