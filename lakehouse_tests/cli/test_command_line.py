"""The command line: quick help for every command, one clear line for every failure."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.cli import main
from lakehouse.cli.app import COMMANDS
from lakehouse.cli.failure import report
from lakehouse.errors import PermanentError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Call the command line in this process, at a home of the test's own."""
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return call


def test_help_names_every_command(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("command", [*COMMANDS, "serve dremio", "serve airbyte", "serve postgres"])
def test_every_command_has_help(run: Run, command: str) -> None:
    code, out, _ = run(*command.split(), "--help")
    assert code == 0
    assert f"Usage: lakehouse {command}" in out
    assert len(out.splitlines()) > 5


@pytest.mark.slow
def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom lakehouse.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'dagster', 'pyarrow', 'pydantic', 'dbt', 'duckdb', 'psycopg'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [["nonsense"], ["up", "--nonsense"], ["query"], ["serve", "dremio"]])
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert "Usage: lakehouse" in err


def one_line(err: str) -> str:
    lines = err.splitlines()
    assert len(lines) == 1, err
    return lines[0]


def test_unknown_setting_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_DREMIO__PROT", "1")
    code, _, err = run("status")
    assert code == 1
    assert one_line(err) == (
        "error: LAKEHOUSE_DREMIO__PROT (environment): unknown setting; did you mean LAKEHOUSE_DREMIO__PORT?"
    )


def test_unknown_service_is_one_line(run: Run) -> None:
    code, _, err = run("up", "--only", "mysql")
    assert code == 1
    assert (
        one_line(err)
        == "error: unknown service mysql; known are postgres, airbyte, dremio, dagster, api, logs, superset"
    )


def test_service_on_another_machine_is_not_started_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_DREMIO__HOST", "dremio.example.com")
    code, _, err = run("up", "--only", "dremio")
    assert code == 1
    assert one_line(err) == (
        "error: dremio: the settings place it at dremio.example.com:9047, not on this machine; "
        "leave it out with --without dremio"
    )


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse.errors import ConfigurationError

    monkeypatch.setenv("LAKEHOUSE_NONSENSE", "1")
    with pytest.raises(ConfigurationError):
        main(["status", "--debug"])


def test_the_reason_is_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = RuntimeError("a page about components")
    told.__cause__ = PermanentError("is no name", where="stream x")
    report(told)
    assert one_line(capsys.readouterr().err) == "error: stream x: is no name"


def test_unexpected_errors_are_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse.embedded import state

    def fail(_home: Path) -> None:
        raise KeyError("surprise\nand more")

    monkeypatch.setattr(state, "read_state", fail)
    code, _, err = run("status")
    assert code == 1
    assert one_line(err).startswith("error: unexpected KeyError: ")
    assert one_line(err).endswith("run it again with --debug to see where")


def test_password_file_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.write_text("\nsecret\n")
    serve = ["serve", "postgres", "--home", str(tmp_path / "pg"), "--password-file"]
    assert one_line(run(*serve, str(missing))[2]).endswith("cannot be read: No such file or directory")
    assert one_line(run(*serve, str(empty))[2]).endswith("its first line is empty")
    assert "set LAKEHOUSE_POSTGRES__PASSWORD" in one_line(run(*serve[:-1])[2])


def test_nothing_runs(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("status")
    assert (code, out) == (1, f"nothing runs in {tmp_path / 'home'}; start it with `lakehouse up`\n")
    code, out, _ = run("down")
    assert (code, out) == (0, f"nothing runs in {tmp_path / 'home'}\n")


def test_query_without_an_engine_says_how_to_start_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse.embedded.ports import free_port

    port = free_port()
    monkeypatch.setenv("LAKEHOUSE_DREMIO__FLIGHT_PORT", str(port))
    code, _, err = run("query", "select 1")
    assert code == 1
    line = f"error: dremio at 127.0.0.1:{port}: does not answer; start it with `lakehouse up`"
    assert one_line(err) == line


def test_version(run: Run) -> None:
    code, out, _ = run("version")
    assert code == 0
    assert out.startswith("lakehouse ")
    assert "dbt-dremio" in out
