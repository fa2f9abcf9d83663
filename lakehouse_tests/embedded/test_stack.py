"""The stack: starts, says what is wrong, restarts what dies, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.ports import Port, free_port
from lakehouse.embedded.service import Service
from lakehouse.embedded.services import Login, postgres_service
from lakehouse.embedded.stack import Stack, stop_stack
from lakehouse.embedded.state import FAILED, RUNNING, StackRunningError, read_state
from lakehouse_tests.embedded.processes import alive, eventually, mentioning

pytestmark = pytest.mark.slow

SERVER = """
import http.server, signal, subprocess, sys
sleep = [sys.executable, "-c", "import time; time.sleep(600)", sys.argv[2]]
child = subprocess.Popen(sleep, start_new_session=True)
print("a plain line", flush=True)
signal.signal(signal.SIGTERM, lambda *_: (print("told to stop", flush=True), sys.exit(0)))
address = ("127.0.0.1", int(sys.argv[1]))
http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""
"""A server that answers 200 and starts a child which would outlive it."""


def server(home: Path, name: str = "web", port: int | None = None, requires: tuple[str, ...] = ()) -> Service:
    number = port or free_port()
    return Service(
        name=name,
        command=(sys.executable, "-c", SERVER, str(number), str(home)),
        address=f"http://127.0.0.1:{number}",
        health=f"http://127.0.0.1:{number}/",
        ports=(Port(number, f"{name} REST", "LAKEHOUSE_WEB__PORT"),),
        requires=requires,
        start_seconds=20,
        stop_seconds=5,
    )


def pid_of(home: Path, name: str = "web") -> int:
    state = read_state(home)
    assert state is not None
    service = state.service(name)
    assert service is not None
    assert service.pid is not None
    return service.pid


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    stop_stack(tmp_path / "home")
    eventually(lambda: not mentioning(tmp_path), 15, "every process of the test is gone")


def log_messages(home: Path, service: str) -> list[str]:
    lines = (home / "logs" / f"{service}.jsonl").read_text().splitlines()
    return [json.loads(line)["message"] for line in lines]


def test_starts_waits_for_health_and_stops_everything(home: Path) -> None:
    seen: list[tuple[str, str]] = []
    with Stack(home, [server(home)], on_state=lambda name, state, _: seen.append((name, state))) as stack:
        assert stack.state is not None
        assert [(s.name, s.state, s.restarts) for s in stack.state.services] == [("web", RUNNING, 0)]
        assert seen == [("web", "starting"), ("web", "running")]
        pid = pid_of(home)
        assert alive(pid)
    assert not alive(pid)
    assert stack.state is None
    assert mentioning(home) == []
    assert "a plain line" in log_messages(home, "web")
    assert "told to stop" in log_messages(home, "web")


def test_services_start_after_and_stop_before_what_they_require(home: Path) -> None:
    with Stack(home, [server(home, "first"), server(home, "second", requires=("first",))]):
        pass
    messages = log_messages(home, "supervisor")
    assert messages.index("first running") < messages.index("second starting")
    assert messages.index("second stopped") < messages.index("first stopping")


def test_killed_service_is_started_again_without_its_orphans(home: Path) -> None:
    with Stack(home, [server(home)]) as stack:
        before = pid_of(home)
        children = [child.pid for child in psutil.Process(before).children()]
        assert children
        os.kill(before, signal.SIGKILL)

        def again() -> bool:
            state = stack.state
            web = state.service("web") if state else None
            return web is not None and web.state == RUNNING and web.pid not in (before, None)

        eventually(again, 20, "the service runs again")
        assert not any(alive(child) for child in children)
        assert stack.state is not None
        assert stack.state.services[0].restarts == 1
    assert any(
        "killed by signal 9; starting it again" in message for message in log_messages(home, "supervisor")
    )


def test_service_that_keeps_dying_is_given_up(home: Path) -> None:
    flag = home / "worked-once"
    again = f"import os, sys, time; p = {str(flag)!r}\nif os.path.exists(p): sys.exit(3)\n"
    command = again + "open(p, 'w'); time.sleep(3.5)"
    fickle = Service("fickle", (sys.executable, "-c", command), "", "alive:", max_restarts=1)
    with Stack(home, [fickle, server(home)]) as stack:

        def given_up() -> bool:
            state = stack.state
            service = state.service("fickle") if state else None
            return service is not None and service.state == FAILED

        eventually(given_up, 60, "the service is given up")
        assert stack.state is not None
        note = stack.state.services[0].note
        assert "ended with code 3 too often; not started again" in note
        assert stack.state.services[1].state == RUNNING


def test_killed_supervisor_leaves_no_orphan_and_the_next_start_works(home: Path) -> None:
    stack = Stack(home, [server(home)])
    stack.start(detached=True)
    state = read_state(home)
    assert state is not None
    os.kill(state.pid, signal.SIGKILL)
    eventually(lambda: not mentioning(home), 20, "what the supervisor left is gone")
    assert read_state(home) is None
    with Stack(home, [server(home)]) as again:
        assert again.state is not None
        assert again.state.services[0].state == RUNNING


def test_killed_owner_takes_the_stack_with_it(home: Path, tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import pathlib, time
        from lakehouse.embedded.stack import Stack
        from lakehouse_tests.embedded.test_stack import server
        home = pathlib.Path({str(home)!r})
        with Stack(home, [server(home)]):
            print("up", flush=True)
            time.sleep(600)
    """)
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "up\n"
    supervisor = read_state(home)
    assert supervisor is not None
    owner.kill()
    owner.communicate()
    eventually(lambda: not alive(supervisor.pid) and not mentioning(home), 20, "the stack is gone")
    assert "stopped" in log_messages(home, "supervisor")


def test_detached_stack_runs_on_until_it_is_stopped(home: Path) -> None:
    Stack(home, [server(home)]).start(detached=True)
    with pytest.raises(
        StackRunningError, match=r"already running \(pid \d+\); stop it with `lakehouse down`"
    ):
        Stack(home, [server(home)]).start()
    pid = pid_of(home)
    assert alive(pid)
    assert stop_stack(home) is True
    assert not alive(pid)
    assert stop_stack(home) is False


def test_taken_port_names_its_holder_and_the_remedy(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(EmbeddedError) as caught:
            Stack(home, [server(home, port=number)]).start()
    line = str(caught.value)
    assert line.startswith(f"port {number} (web REST) is taken by pid {os.getpid()} (")
    assert line.endswith("); stop it or set LAKEHOUSE_WEB__PORT")
    assert read_state(home) is None


def test_service_that_ends_at_once_is_an_error_with_its_last_words(home: Path) -> None:
    broken = Service("broken", (sys.executable, "-c", "raise SystemExit('no such table: x')"), "", "alive:")
    with pytest.raises(EmbeddedError) as caught:
        Stack(home, [server(home), broken]).start()
    assert "broken: ended with code 1 before it was ready: no such table: x; its log is" in str(caught.value)
    assert mentioning(home) == []


def test_service_that_never_gets_well_is_an_error(home: Path) -> None:
    silent = Service(
        "silent",
        (sys.executable, "-c", "import time; time.sleep(60)"),
        "",
        "tcp://127.0.0.1:1",
        start_seconds=1,
    )
    with pytest.raises(EmbeddedError, match="silent: not ready after 1 s; its log is"):
        Stack(home, [silent]).start()


def test_service_that_ignores_sigterm_is_killed_in_the_end(home: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    with Stack(home, [Service("deaf", (sys.executable, "-c", deaf), "", "alive:", stop_seconds=0.5)]):
        pid = pid_of(home, "deaf")
        began = time.monotonic()
    assert not alive(pid)
    assert time.monotonic() - began < 15


def test_real_postgres_is_restarted_after_kill_and_keeps_its_data(home: Path) -> None:
    import psycopg

    port = free_port()
    service = postgres_service(home, Login("127.0.0.1", port, "lakehouse", "secret-1"))
    dsn = {
        "host": "127.0.0.1",
        "port": port,
        "user": "lakehouse",
        "password": "secret-1",
        "dbname": "postgres",
    }
    with Stack(home, [service]) as stack:
        with psycopg.connect(**dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(pid_of(home, "postgres"), signal.SIGKILL)

        def again() -> bool:
            state = stack.state
            return (
                state is not None and state.services[0].restarts == 1 and state.services[0].state == RUNNING
            )

        eventually(again, 30, "postgres runs again")
        with psycopg.connect(**dsn) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        server_pid = int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
        supervisor = stack.state
        assert supervisor is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        eventually(lambda: not alive(server_pid), 20, "postgres itself is gone")
    assert json.loads((home / "logs" / "postgres.jsonl").read_text().splitlines()[0])["service"] == "postgres"
