"""`lakehouse up`, `status`, `query` and `down` as a person runs them, on the real engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.embedded.ports import free_port
from lakehouse.embedded.stack import stop_stack
from lakehouse_tests.embedded.processes import eventually, mentioning

pytestmark = pytest.mark.e2e


class CommandLine:
    """`lakehouse` as a process, at a home and ports of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")},
            "LAKEHOUSE_HOME": str(home),
            "LAKEHOUSE_DREMIO__PORT": str(free_port()),
            "LAKEHOUSE_DREMIO__FLIGHT_PORT": str(free_port()),
            "LAKEHOUSE_AIRBYTE__URL": f"http://127.0.0.1:{free_port()}",
            "LAKEHOUSE_POSTGRES__PORT": str(free_port()),
            "LAKEHOUSE_DAGSTER__PORT": str(free_port()),
            "LAKEHOUSE_API__PORT": str(free_port()),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "lakehouse.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env,
        )

    def run(self, *arguments: str, **env: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "lakehouse.cli", *arguments],
            capture_output=True,
            text=True,
            env=self.env | env,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def engine_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The stack with the engine alone, detached."""
    line = CommandLine(tmp_path_factory.mktemp("stack") / "home")
    code, out, err = line.run("up", "--only", "dremio", "--detach")
    assert code == 0, err
    assert "running in the background" in out
    yield line
    stop_stack(line.home)
    eventually(lambda: not mentioning(line.home), 15, "every process of the test is gone")


def test_status_shows_every_service(engine_up: CommandLine) -> None:
    code, out, _ = engine_up.run("status")
    assert code == 0
    port = engine_up.env["LAKEHOUSE_DREMIO__PORT"]
    header, line = out.splitlines()[:2]
    assert header.split() == ["service", "state", "pid", "address", "uptime", "restarts", "note"]
    assert line.split()[:2] == ["dremio", "running"]
    assert f"http://127.0.0.1:{port}" in line
    shown = json.loads(engine_up.run("status", "--json")[1])
    assert shown["home"] == str(engine_up.home)
    assert [(row["service"], row["state"], row["restarts"]) for row in shown["services"]] == [
        ("dremio", "running", 0)
    ]


def test_query_answers_in_every_format(engine_up: CommandLine, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    sql = "select 41 + 1 as answer, 'é' as letter"
    assert json.loads(engine_up.run("query", sql, "--format", "json")[1]) == [{"answer": 42, "letter": "é"}]
    assert engine_up.run("query", sql, "--format", "csv")[1] == '"answer","letter"\n42,"é"\n'
    assert engine_up.run("query", sql)[1].splitlines()[1].split() == ["42", "é"]
    target = tmp_path / "answer.parquet"
    assert engine_up.run("query", sql, "--format", "parquet", "--output", str(target))[0] == 0
    assert pq.read_table(target).to_pylist() == [{"answer": 42, "letter": "é"}]


def test_wrong_sql_and_wrong_password_are_one_line(engine_up: CommandLine) -> None:
    code, _, err = engine_up.run("query", "select * from nowhere.at_all")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "nowhere.at_all" in err
    assert "Traceback" not in err
    code, _, err = engine_up.run("query", "select 1", LAKEHOUSE_DREMIO__PASSWORD="wrong")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "credentials refused" in err
    assert "LAKEHOUSE_DREMIO__PASSWORD" in err


def test_second_up_says_that_it_runs(engine_up: CommandLine) -> None:
    code, _, err = engine_up.run("up", "--only", "dremio")
    assert code == 1
    assert "the stack is already running (pid " in err
    assert err.rstrip().endswith("stop it with `lakehouse down`")


def test_query_without_the_stack_starts_the_engine_for_the_call(tmp_path: Path) -> None:
    line = CommandLine(tmp_path / "home")
    code, _, err = line.run("query", "select 1 as one")
    assert code == 1
    assert "start it with `lakehouse up`" in err
    (line.home / "dremio").mkdir(parents=True)
    code, out, err = line.run("query", "select 1 as one", "--format", "json")
    assert (code, json.loads(out)) == (0, [{"one": 1}]), err
    assert mentioning(line.home) == []


def found_in_logs(line: CommandLine, text: str, service: str) -> int:
    return len(json.loads(line.run("logs", "search", text, "--service", service, "--json")[1])["records"])


def test_up_in_the_foreground_stops_everything_at_ctrl_c(tmp_path: Path) -> None:
    line = CommandLine(tmp_path / "home")
    process = line.start("up", "--without", "dagster")
    assert process.stdout is not None
    shown = [process.stdout.readline()]
    while shown[-1] and not shown[-1].startswith("running;"):
        shown.append(process.stdout.readline())
    assert shown[-1].startswith(f"running; home {line.home}"), shown
    assert (line.home / "lakehouse.env").stat().st_mode & 0o777 == 0o600
    services = json.loads(line.run("status", "--json")[1])["services"]
    assert {row["service"]: row["state"] for row in services} == dict.fromkeys(
        ("postgres", "airbyte", "dremio", "api", "logs"), "running"
    )
    eventually(lambda: found_in_logs(line, "dremio running", "supervisor") == 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert mentioning(line.home) == []
    assert line.run("status")[0] == 1


def test_dagster_serves_the_graph_with_every_other_service_down(tmp_path: Path) -> None:
    import httpx

    line = CommandLine(tmp_path / "home")
    code, _, err = line.run("up", "--only", "dagster", "--detach")
    try:
        assert code == 0, err
        question = "{workspaceOrError{...on Workspace{locationEntries{locationOrLoadError{__typename}}}}}"
        url = f"http://127.0.0.1:{line.env['LAKEHOUSE_DAGSTER__PORT']}/graphql"
        answer = httpx.post(url, json={"query": question}, timeout=60, trust_env=False).json()
        entries = answer["data"]["workspaceOrError"]["locationEntries"]
        assert [entry["locationOrLoadError"]["__typename"] for entry in entries] == ["RepositoryLocation"]
        services = json.loads(line.run("status", "--json")[1])["services"]
        assert [row["service"] for row in services] == ["dagster-code", "dagster-webserver", "dagster-daemon"]
    finally:
        stop_stack(line.home)
    eventually(lambda: not mentioning(line.home), 15, "every process of Dagster is gone")
