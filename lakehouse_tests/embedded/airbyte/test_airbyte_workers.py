"""The process of the next job, which the server starts beforehand."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.embedded.airbyte.connectors.installed import Installed, record
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, Connection, eventually, processes_with

pytestmark = pytest.mark.slow


@pytest.fixture
def connection(airbyte_of_its_own: Callable[..., AirbyteServer], tmp_path: Path) -> Connection:
    (tmp_path / "a.csv").write_text("id\n1\n")
    streams = [{"name": "a", "globs": ["a.csv"], "format": {"filetype": "csv"}}]
    modes = [{"name": "a", "syncMode": "full_refresh_overwrite"}]
    return airbyte_of_its_own().connect({"root": str(tmp_path), "streams": streams}, "files", modes)


def workers(server: AirbyteServer) -> list[int]:
    return processes_with(f"airbyte.worker\0{server.home}")


def test_one_waits_after_a_job_and_runs_the_next(connection: Connection) -> None:
    server = connection.server
    assert workers(server) == []
    connection.sync()
    eventually(lambda: len(workers(server)) == 1)
    (waiting,) = workers(server)
    job = connection.sync()
    assert connection.records(job) == {"a": 1}
    eventually(lambda: len(workers(server)) == 1 and workers(server) != [waiting])
    log = server.home / "logs" / f"job-{job['jobId']}.log"
    assert "stream a: 1 records committed" in log.read_text()


def test_one_that_was_killed_is_replaced(connection: Connection) -> None:
    server = connection.server
    connection.sync()
    eventually(lambda: len(workers(server)) == 1)
    (waiting,) = workers(server)
    os.kill(waiting, signal.SIGKILL)
    assert connection.records(connection.sync()) == {"a": 1}  # whether or not the server has been told by now


def test_one_that_ends_as_it_is_given_a_job_is_replaced(connection: Connection) -> None:
    server = connection.server
    connection.sync()
    eventually(lambda: len(workers(server)) == 1)
    (waiting,) = workers(server)
    os.kill(waiting, signal.SIGSTOP)
    job = connection.start()
    time.sleep(0.3)  # it has the job in its standard input, and does not read it
    os.kill(waiting, signal.SIGKILL)
    assert connection.records(connection.wait(job)) == {"a": 1}


@pytest.mark.parametrize("end", [AirbyteServer.stop, AirbyteServer.kill])
def test_it_ends_with_the_server(connection: Connection, end: Callable[[AirbyteServer], None]) -> None:
    server = connection.server
    connection.sync()
    eventually(lambda: len(workers(server)) == 1)
    end(server)
    eventually(lambda: workers(server) == [])
    server.start()


def test_a_connector_that_cannot_be_read_fails_its_own_jobs_only(
    connection: Connection, tmp_path: Path
) -> None:
    server = connection.server
    folder = server.home / "connectors" / "broken"
    folder.mkdir(parents=True)
    record(
        server.home,
        Installed(type="broken", package="p", version="1", command=("true",), spec={}, folder=str(tmp_path)),
    )
    server.create_source({}, "broken")
    (folder / "connector.json").write_text("{")
    assert connection.records(connection.sync()) == {"a": 1}
