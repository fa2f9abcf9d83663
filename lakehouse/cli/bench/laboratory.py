"""A Postgres and an Airbyte-compatible server of their own, for benchmarks of ingestion."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from lakehouse.clients.airbyte import AirbyteClient, id_of
from lakehouse.defs.ingestion.apply import destination_of
from lakehouse.defs.ingestion.sync import SyncResult, sync
from lakehouse.settings import Settings

DATABASE = "postgres"
PAUSE_SECONDS = 2.0
WORKER = "lakehouse.embedded.airbyte.worker"


@dataclass(frozen=True)
class Measured:
    """A sync: its rows, its seconds from request to end, the worker's processor time and greatest memory."""

    rows: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int


class Laboratory:
    """The two servers, and calls to them."""

    def __init__(self, settings: Settings, home: Path) -> None:
        quick = settings.airbyte.model_copy(update={"poll_seconds": 0.05})
        self.settings = settings.model_copy(update={"airbyte": quick})
        self._home = home

    def postgres(self) -> AbstractContextManager[psycopg.Connection]:
        """An autocommit connection."""
        from lakehouse.demo.shop import connect

        return connect(self.settings.postgres, DATABASE)

    @property
    def source(self) -> dict[str, Any]:
        """A source-postgres configuration of the database."""
        postgres = self.settings.postgres
        password = postgres.password.get_secret_value() if postgres.password else ""
        return {
            "sourceType": "postgres",
            "host": postgres.host,
            "port": postgres.port,
            "database": DATABASE,
            "schemas": ["public"],
            "username": postgres.user,
            "password": password,
        }

    def connect(
        self, name: str, source: Mapping[str, Any], streams: Sequence[Mapping[str, Any]], **more: Any
    ) -> None:
        """A connection of that name to a landing of its own."""
        with AirbyteClient(self.settings.airbyte) as airbyte:
            made = airbyte.create("sources", {"name": name, "configuration": dict(source)})
            lake = airbyte.create(
                "destinations", {"name": f"{name}_lake", "configuration": destination_of(self.settings)}
            )
            body = {
                "name": name,
                "sourceId": id_of("sources", made),
                "destinationId": id_of("destinations", lake),
                "namespaceDefinition": "custom_format",
                "namespaceFormat": name,
                "configurations": {"streams": list(streams)},
                **more,
            }
            airbyte.create("connections", body)

    def sync(self, name: str) -> Measured:
        """One sync of the connection, watched; after a pause, in which the server makes its next worker ready."""
        time.sleep(PAUSE_SECONDS)
        with _watched() as usage:
            started = time.monotonic()
            result: SyncResult = sync(self.settings.airbyte, name, lambda _: None)
            seconds = time.monotonic() - started
        rows = sum(stream.rows for stream in result.report.streams.values())
        return Measured(rows, seconds, usage.cpu_seconds, usage.peak_bytes)

    def landed(self, name: str, stream: str) -> list[Path]:
        """The stream's visible files."""
        return sorted((self._home / "lake" / "landing" / name / stream).rglob("*.parquet"))


@contextmanager
def laboratory() -> Iterator[Laboratory]:
    """Starts both servers in a temporary home and stops them at the end."""
    import tempfile

    from lakehouse.cli.services import embedded_settings, stack_services
    from lakehouse.embedded.stack import Stack
    from lakehouse.settings import load_settings

    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as directory:
        home = Path(directory)
        settings = _on_free_ports(embedded_settings(load_settings(home)))
        with Stack(settings.home, stack_services(settings, ("postgres", "airbyte"))):
            yield Laboratory(settings, settings.home)


def _on_free_ports(settings: Settings) -> Settings:
    """Beside whatever runs on this machine."""
    from lakehouse.embedded.ports import free_port

    moved = {"url": f"http://127.0.0.1:{free_port()}"}
    airbyte = settings.airbyte.model_copy(update=moved)
    postgres = settings.postgres.model_copy(update={"port": free_port()})
    return settings.model_copy(update={"airbyte": airbyte, "postgres": postgres})


@dataclass
class Usage:
    """What worker processes used."""

    cpu_seconds: float = 0.0
    peak_bytes: int = 0


def worker_usage(usage: Usage) -> None:
    """Adds what the running workers use now."""
    for process in psutil.process_iter(["cmdline"]):
        if WORKER in (process.info["cmdline"] or ()):
            try:
                times = process.cpu_times()
                usage.cpu_seconds = max(usage.cpu_seconds, times.user + times.system)
                usage.peak_bytes = max(usage.peak_bytes, process.memory_info().rss)
            except psutil.NoSuchProcess:
                continue


@contextmanager
def _watched() -> Iterator[Usage]:
    usage, over = Usage(), threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            worker_usage(usage)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield usage
    over.set()
    watcher.join()
