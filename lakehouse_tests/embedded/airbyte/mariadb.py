"""A real MariaDB whose changes are in a binary log; tests may kill it and start it again."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pytest

from lakehouse.embedded.ports import free_port
from lakehouse_tests.embedded.airbyte.fixtures import eventually, unique

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lakehouse" / "mariadb"

_SMALL = ("--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M", "--skip-performance-schema")


def _installation() -> Path | None:
    """The folder that holds sbin/mariadbd and share/mysql."""
    for folder in (_CACHE / "usr", Path("/usr")):
        if (folder / "sbin" / "mariadbd").exists():
            return folder
    return None


@dataclass
class MariaDbServer:
    """A server on a port and in a folder of its own."""

    folder: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        installation = _installation()
        assert installation is not None
        self._installation = installation
        self._environment = os.environ | {
            "LD_LIBRARY_PATH": ":".join(str(p) for p in (installation / "lib").glob("*-linux-gnu"))
        }
        install = [installation / "bin" / "mariadb-install-db", "--no-defaults", *self._places]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db", *_SMALL]
        subprocess.run(install, env=self._environment, check=True, capture_output=True)
        self.start()
        for statement in (
            "CREATE USER airbyte@'127.0.0.1' IDENTIFIED BY 'secret'",
            "GRANT SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, BINLOG MONITOR"
            " ON *.* TO airbyte@'127.0.0.1'",
        ):
            MariaDb(self, "mysql").execute(statement)

    @property
    def _places(self) -> list[str]:
        user = ["--user=root"] if os.geteuid() == 0 else []
        temporary = (
            self.folder / "tmp"
        )  # a server that starts removes the temporary tables of all that share it
        temporary.mkdir(exist_ok=True)
        return [
            f"--basedir={self._installation}",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={temporary}",
            *user,
        ]

    def start(self) -> None:
        command = [
            self._installation / "sbin" / "mariadbd", "--no-defaults", *self._places,
            f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder / 'socket'}",
            "--skip-name-resolve", "--server-id=7", "--log-bin=binlog", "--binlog-format=ROW",
            "--binlog-row-metadata=FULL", *_SMALL, *self.options,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(self._answers, 60)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "MariaDB did not start"
        try:
            MariaDb(self, "mysql").rows("SELECT 1")
        except pymysql.err.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@dataclass(frozen=True)
class MariaDb:
    """A database of its own for one test."""

    server: MariaDbServer
    name: str

    def connection(self) -> pymysql.connections.Connection[Any]:
        return pymysql.connect(
            unix_socket=str(self.server.folder / "socket"),
            user="root",
            database=self.name,
            autocommit=True,
            charset="utf8mb4",
        )

    def execute(self, *statements: str) -> None:
        with self.connection() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    @property
    def configuration(self) -> dict[str, Any]:
        """A source-mysql configuration for it."""
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "database": self.name,
            "username": "airbyte",
            "password": "secret",
            "replication_method": {"method": "STANDARD"},
        }

    def cdc(self, **method: Any) -> dict[str, Any]:
        """The same, reading the binary log."""
        return self.configuration | {"replication_method": {"method": "CDC", **method}}


def _required() -> None:
    if _installation() is None:
        problem = "no mariadbd here; .ci/mariadb unpacks one from Debian's packages"
        if "mariadb" in os.environ.get("TESTS_REQUIRE", "").split(","):
            pytest.fail(problem)
        pytest.skip(problem)


@contextmanager
def mariadb_running(options: tuple[str, ...] = ()) -> Iterator[MariaDbServer]:
    """A server until the end of the block."""
    _required()
    with tempfile.TemporaryDirectory(prefix="lakehouse-mariadb-") as folder:
        server = MariaDbServer(Path(folder), options)
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDbServer]:
    with mariadb_running() as server:
        yield server


@pytest.fixture
def mariadb(mariadb_server: MariaDbServer) -> Iterator[MariaDb]:
    database = MariaDb(mariadb_server, unique("test"))
    MariaDb(mariadb_server, "mysql").execute(f"CREATE DATABASE {database.name}")
    yield database
    MariaDb(mariadb_server, "mysql").execute(f"DROP DATABASE {database.name}")


@pytest.fixture
def mariadb_of_its_own() -> Iterator[MariaDbServer]:
    """A server for one test that kills it or changes its settings."""
    with mariadb_running() as server:
        yield server
