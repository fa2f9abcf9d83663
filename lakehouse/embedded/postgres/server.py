"""The embedded PostgreSQL in the foreground: real PostgreSQL on TCP, logical decoding on, scram passwords."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psycopg

from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.json_lines import emit
from lakehouse.embedded.launch import launched, piped
from lakehouse.embedded.ports import Port, require_free
from lakehouse.embedded.postgres.account import hand_over, make_traversable, postgres_account
from lakehouse.embedded.postgres.binaries import binary
from lakehouse.embedded.postgres.cluster import Cluster

SERVICE = "postgres"
_READY_SECONDS = 60
_PREDECESSOR_SECONDS = 15
_LAST_LINES_SECONDS = 2
_HBA = "# Written at every start.\nhost all all all scram-sha-256\nhost replication all all scram-sha-256\n"


@dataclass(frozen=True)
class PostgresServerConfig:
    """Where the server keeps everything, where it listens, and the superuser that clients log in as."""

    home: Path
    port: int
    user: str
    password: str
    host: str = "127.0.0.1"


def serve(config: PostgresServerConfig) -> None:
    """Run PostgreSQL until SIGTERM or SIGINT, then stop it fast (open transactions are rolled back).

    The data directory is `<home>/data`. As root it runs as the user `lakehouse-postgres`. There is no Unix
    socket. A data directory left by kill -9 is recovered by PostgreSQL itself.

    Raises:
        EmbeddedError: the extra is not installed, the port is taken, another server runs on the same data,
            or PostgreSQL stopped by itself.
    """
    _Server(config).run()


class _Server:
    def __init__(self, config: PostgresServerConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._relaying: threading.Thread | None = None
        self._reason = ""

    def run(self) -> None:
        if "\n" in self._config.password or not self._config.password:
            raise EmbeddedError("the password is empty or holds a line break", where=SERVICE)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        binary("postgres")
        self._config.home.mkdir(parents=True, exist_ok=True)
        with _sole_owner(self._config.home):
            self._run()

    def _run(self) -> None:
        cluster = self._prepare()
        self._wait_for_predecessor(cluster)
        require_free(Port(self._config.port, "postgres", "LAKEHOUSE_POSTGRES__PORT", self._config.host))
        if not cluster.exists():
            emit(SERVICE, f"creating the database cluster in {cluster.data}")
            cluster.create(self._config.user, self._config.password)
        while not self._stopping.is_set():
            self._start(cluster)
            if self._login_works():
                address = f"{self._config.host}:{self._config.port}"
                emit(SERVICE, f"ready on {address} as user {self._config.user}", address=address)
                break
            if not self._stopping.is_set():
                emit(SERVICE, f"setting the password of {self._config.user} to the configured one", "WARNING")
                self._halt()
                cluster.set_login(self._config.user, self._config.password)
        self._wait()

    def _prepare(self) -> Cluster:
        home = self._config.home.resolve()
        account = postgres_account()
        cluster = Cluster(home, account)
        if account:
            opened = make_traversable(cluster.data) + make_traversable(binary("postgres"))
            if cluster.data.is_dir():
                hand_over(cluster.data, account)
            done = f"running as the user {account.pw_name}, who owns {cluster.data}"
            if opened:
                done += f"; made traversable for others (o+x): {', '.join(map(str, opened))}"
            emit(SERVICE, done)
        (home / "pg_hba.conf").write_text(_HBA)
        (home / "pg_hba.conf").chmod(0o644)
        return cluster

    def _wait_for_predecessor(self, cluster: Cluster) -> None:
        """A server whose wrapper was killed gets its shutdown from the kernel, and needs a moment for it."""
        deadline = time.monotonic() + _PREDECESSOR_SECONDS
        while (pid := _running_on(cluster.data)) and not self._stopping.is_set():
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"another PostgreSQL (pid {pid}) runs on this data",
                    where=str(cluster.data),
                    remedy="stop it",
                )
            time.sleep(0.1)

    def _start(self, cluster: Cluster) -> None:
        settings = {
            "listen_addresses": self._config.host,
            "port": self._config.port,
            "unix_socket_directories": "",
            "hba_file": cluster.home / "pg_hba.conf",
            "password_encryption": "scram-sha-256",
            "wal_level": "logical",
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_line_prefix": "[%b] ",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        options = [text for key, value in settings.items() for text in ("-c", f"{key}={value}")]
        command = [str(binary("postgres")), "-D", str(cluster.data), *options]
        self._process = subprocess.Popen(
            launched(command, signal.SIGINT, cluster.identity),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd="/",
        )
        self._relaying = threading.Thread(target=self._relay, args=(self._process,), daemon=True)
        self._relaying.start()

    def _login_works(self) -> bool:
        """Wait until the server answers; False when it refuses the configured user and password."""
        deadline = time.monotonic() + _READY_SECONDS
        while not self._stopping.is_set():
            try:
                with psycopg.connect(
                    host=_reachable(self._config.host),
                    port=self._config.port,
                    user=self._config.user,
                    password=self._config.password,
                    dbname="postgres",
                    connect_timeout=5,
                ):
                    return True
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    return False
            if self._process is None or self._process.poll() is not None:
                raise self._died()
            if time.monotonic() > deadline:
                self._halt()
                raise EmbeddedError(
                    f"PostgreSQL is not ready after {_READY_SECONDS} s{self._reason}",
                    where=str(self._config.home),
                )
            time.sleep(0.05)
        return True

    def _wait(self) -> None:
        if self._process is None:
            return
        self._process.wait()
        if not self._stopping.is_set():
            raise self._died()
        emit(SERVICE, "stopped")

    def _died(self) -> EmbeddedError:
        code = self._process.returncode if self._process else None
        if self._relaying is not None:
            self._relaying.join(_LAST_LINES_SECONDS)  # the reason may still be on its way
        return EmbeddedError(
            f"PostgreSQL stopped by itself with code {code}{self._reason}", where=str(self._config.home)
        )

    def _halt(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        if self._process is not None and self._process.poll() is None:
            # PostgreSQL's "fast shutdown"; its answer to SIGTERM would be to wait for all clients.
            self._process.send_signal(signal.SIGINT)

    def _relay(self, process: subprocess.Popen[str]) -> None:
        """PostgreSQL's own log lines, `[process] LEVEL:  message`, as ours."""
        for line in piped(process.stderr):
            found = _LINE.match(line.rstrip("\n"))
            if found is None:
                emit(SERVICE, line.rstrip("\n"))
                continue
            writer, level, message = found.groups()
            emit(SERVICE, message, _LEVELS[level])
            # What ends a client's session does not end the server.
            if level in ("FATAL", "PANIC") and not (writer or "").endswith("client backend"):
                self._reason = f": {message}"


_LEVELS = {
    "DEBUG": "DEBUG",
    "LOG": "INFO",
    "INFO": "INFO",
    "NOTICE": "INFO",
    "HINT": "INFO",
    "DETAIL": "INFO",
    "STATEMENT": "INFO",
    "CONTEXT": "INFO",
    "WARNING": "WARNING",
    "ERROR": "ERROR",
    "FATAL": "ERROR",
    "PANIC": "CRITICAL",
}
_LINE = re.compile(rf"(?:\[([\w ().-]+)\] )?({'|'.join(_LEVELS)}):  (.*)")


@contextmanager
def _sole_owner(home: Path) -> Iterator[None]:
    """Hold the home directory's lock, which the kernel gives back whatever way this process ends."""
    handle = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise EmbeddedError(
            "another embedded PostgreSQL uses this home", where=str(home), remedy="stop it"
        ) from None
    finally:
        os.close(handle)


def _running_on(data: Path) -> int | None:
    """The pid of a live postmaster that holds this data directory (`postmaster.pid`, first line)."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(data).encode() in command else None


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "*") else host  # noqa: S104
