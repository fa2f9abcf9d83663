"""A real Postgres, and Airbyte-compatible servers as processes that tests may kill."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.embedded.ports import free_port

USER, PASSWORD = "airbyte", "the-password"
ACTIVE = ("pending", "running", "incomplete")
_names = itertools.count()


def unique(prefix: str) -> str:
    return f"{prefix}_{next(_names)}"


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@dataclass(frozen=True)
class Database:
    """A database of its own for one test."""

    port: int
    name: str

    def execute(self, *statements: str) -> None:
        with self.connection() as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection:
            return connection.execute(query).fetchall()

    def connection(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="shop",
            password="secret",
            dbname=self.name,
            autocommit=True,
        )

    @property
    def configuration(self) -> dict[str, Any]:
        """A source-postgres configuration for it."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "database": self.name,
            "schemas": ["public"],
            "username": "shop",
            "password": "secret",
            "ssl_mode": {"mode": "prefer"},
            "replication_method": {"method": "Standard"},
        }

    def cdc(self, **changes: Any) -> dict[str, Any]:
        """A source-postgres configuration that reads the log."""
        method = {"method": "CDC", "replication_slot": self.name, "publication": "lakehouse", **changes}
        return self.configuration | {"replication_method": method}


_POSTGRES = """
import sys
from pathlib import Path
from lakehouse.embedded.postgres.server import PostgresServerConfig, serve
serve(PostgresServerConfig(home=Path(sys.argv[1]), port=int(sys.argv[2]), user="shop", password="secret"))
"""


class PostgresServer:
    """A Postgres server that a test may kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _POSTGRES, str(self.folder / "home"), str(self.port)],
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers, 60)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "Postgres did not start"
        try:
            Database(self.port, "postgres").rows("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """kill -9 of the server and all its processes."""
        everything = psutil.Process(self.process.pid).children(recursive=True)
        for process in everything:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.kill()
        self.process.wait()
        psutil.wait_procs(everything, 10)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@contextlib.contextmanager
def postgres_folder() -> Iterator[Path]:
    """Not below pytest's own folder: every pytest session of this user takes that from other users again, and as
    root the database runs as another user.
    """
    with tempfile.TemporaryDirectory(prefix="lakehouse-postgres-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    with postgres_folder() as folder:
        server = PostgresServer(folder)
        yield server.port
        server.stop()


@pytest.fixture
def postgres_of_its_own() -> Iterator[PostgresServer]:
    """For one test that kills it."""
    with postgres_folder() as folder:
        server = PostgresServer(folder)
        yield server
        server.stop()


@pytest.fixture
def database(postgres_port: int) -> Iterator[Database]:
    name = unique("test")
    Database(postgres_port, "postgres").execute(f"CREATE DATABASE {name}")
    yield Database(postgres_port, name)
    server = Database(postgres_port, "postgres")
    slots = f"SELECT slot_name, active_pid FROM pg_replication_slots WHERE database = '{name}'"
    server.execute(
        f"SELECT pg_terminate_backend(active_pid) FROM ({slots}) s WHERE active_pid IS NOT NULL",
        f"SELECT pg_drop_replication_slot(slot_name) FROM ({slots}) s",
        f"DROP DATABASE {name} WITH (FORCE)",
    )


_AIRBYTE = """
import json, sys
from pathlib import Path
from lakehouse.embedded.airbyte.attempts import Retries
from lakehouse.embedded.airbyte.server import AirbyteServerConfig, serve
options = json.loads(sys.argv[1])
made = {"home": Path(options["home"]), "retries": Retries(**options["retries"])}
serve(AirbyteServerConfig(**options | made))
"""
FAKE_SOURCE = (sys.executable, str(Path(__file__).with_name("fake_source.py")))


@dataclass
class AirbyteServer:
    """An Airbyte-compatible server as a process, and calls to it."""

    home: Path
    lake: Path
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.public, self.config = f"{self.url}/api/public/v1", f"{self.url}/api/v1"
        self.client = httpx.Client(auth=(USER, PASSWORD), timeout=30)
        self.start()

    def start(self) -> None:
        options = {
            "home": str(self.home),
            "port": self.port,
            "user": USER,
            "password": PASSWORD,
            "connectors": {"fake": FAKE_SOURCE},
            "retries": {"most": 0},
            **self.options,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _AIRBYTE, json.dumps(options)], stderr=subprocess.DEVNULL
        )
        eventually(self._healthy)

    def _healthy(self) -> bool:
        assert self.process.poll() is None, "the server did not start"
        try:
            return bool(httpx.get(f"{self.config}/health").json()["available"])
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """kill -9, and what the system then does to nobody but this process."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) in (0, -signal.SIGTERM)

    def call(self, method: str, address: str, status: int = 200, **arguments: Any) -> Any:
        response = self.client.request(method, address, **arguments)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    @property
    def workspace_id(self) -> str:
        return self.call("GET", f"{self.public}/workspaces")["data"][0]["workspaceId"]

    def create_source(self, configuration: dict[str, Any], type_: str, status: int = 200) -> Any:
        body = {
            "name": unique(type_),
            "workspaceId": self.workspace_id,
            "configuration": {"sourceType": type_, **configuration},
        }
        answer = self.call("POST", f"{self.public}/sources", status, json=body)
        return answer["sourceId"] if status == 200 else answer

    def create_destination(self, **changes: Any) -> str:
        configuration = {
            "destinationType": "s3",
            "s3_bucket_name": "lake",
            "s3_bucket_path": "landing",
            "s3_bucket_region": "",
            "s3_endpoint": self.lake.as_uri(),
            "s3_path_format": "${NAMESPACE}/${STREAM_NAME}/date=${YEAR}-${MONTH}-${DAY}/${EPOCH}_",
            "format": {"format_type": "Parquet", "compression_codec": "SNAPPY"},
            **changes,
        }
        body = {"name": unique("lake"), "workspaceId": self.workspace_id, "configuration": configuration}
        return self.call("POST", f"{self.public}/destinations", json=body)["destinationId"]

    def connect(
        self, configuration: dict[str, Any], type_: str, streams: list[dict[str, Any]] | None
    ) -> Connection:
        """A source, a destination and a connection that lands in a namespace of its own."""
        namespace = unique("ns")
        body: dict[str, Any] = {
            "name": namespace,
            "sourceId": self.create_source(configuration, type_),
            "destinationId": self.create_destination(),
            "namespaceDefinition": "custom_format",
            "namespaceFormat": namespace,
        }
        if streams is not None:
            body["configurations"] = {"streams": streams}
        made = self.call("POST", f"{self.public}/connections", json=body)
        return Connection(self, made["connectionId"], made["sourceId"], namespace)


@dataclass(frozen=True)
class Connection:
    """A connection of a test."""

    server: AirbyteServer
    id: str
    source_id: str
    namespace: str

    def start(self, status: int = 200) -> Any:
        body = {"connectionId": self.id, "jobType": "sync"}
        return self.server.call("POST", f"{self.server.public}/jobs", status, json=body)

    def wait(self, job: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while job["status"] in ACTIVE:
            assert time.monotonic() < deadline, job
            time.sleep(0.05)
            job = self.server.call("GET", f"{self.server.public}/jobs/{job['jobId']}")
        return job

    def sync(self) -> dict[str, Any]:
        """Runs a sync that must succeed."""
        job = self.wait(self.start())
        assert job["status"] == "succeeded", self.failure(job)
        return job

    def fail(self) -> str:
        """Runs a sync that must fail, and returns what the server says about it."""
        job = self.wait(self.start())
        assert job["status"] == "failed", job
        return self.failure(job)

    def attempt(self, job: dict[str, Any]) -> dict[str, Any]:
        body = {"id": job["jobId"]}
        answer = self.server.call("POST", f"{self.server.config}/jobs/get", json=body)
        return answer["attempts"][0]["attempt"]

    def failure(self, job: dict[str, Any]) -> str:
        return self.attempt(job)["failureSummary"]["failures"][0]["externalMessage"]

    def records(self, job: dict[str, Any]) -> dict[str, int]:
        stats = self.attempt(job)["streamStats"]
        return {stream["streamName"]: stream["stats"]["recordsCommitted"] for stream in stats}

    def files(self, stream: str) -> list[Path]:
        return sorted((self.server.lake / "landing" / self.namespace / stream).glob("date=*/*.parquet"))

    def table(self, stream: str) -> pa.Table:
        """Everything landed of a stream."""
        return pa.concat_tables(pq.ParquetFile(path).read() for path in self.files(stream))


@pytest.fixture(scope="session")
def airbyte(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirbyteServer]:
    folder = tmp_path_factory.mktemp("airbyte")
    server = AirbyteServer(folder / "home", folder / "lake")
    yield server
    server.stop()


@pytest.fixture
def airbyte_of_its_own(tmp_path: Path) -> Iterator[Callable[..., AirbyteServer]]:
    """Makes servers with options, for one test that kills or configures them."""
    servers: list[AirbyteServer] = []

    def make(**options: Any) -> AirbyteServer:
        folder = tmp_path / unique("airbyte")
        servers.append(AirbyteServer(folder / "home", folder / "lake", options))
        return servers[-1]

    yield make
    for server in servers:
        if server.process.poll() is None:
            server.stop()


def processes_with(text: str) -> list[int]:
    """Processes whose command line holds a text."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in command:
                found.append(int(entry.name))
    return found
