"""The laptop stack: a supervisor process and the services under it, started, asked and stopped from here."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.launch import piped
from lakehouse.embedded.service import Service
from lakehouse.embedded.state import StackRunningError, StackState, is_locked, read_state

OnState = Callable[[str, str, str], None]
"""Called with service, state and note whenever a service changes state during the start."""


class Stack:
    """The services of one home directory.

    As a context manager it starts them, waits until all are well, and stops them at the end; should this
    process be killed, the supervisor notices and stops them all the same.

        with Stack(home, services) as stack: ...
    """

    def __init__(
        self,
        home: Path,
        services: Sequence[Service],
        *,
        on_state: OnState | None = None,
        start_seconds: float | None = None,
    ) -> None:
        self.home = home.expanduser().resolve()
        self.services = tuple(services)
        self._on_state = on_state or (lambda _service, _state, _note: None)
        slowest = max((service.start_seconds for service in services), default=0.0)
        self._start_seconds = start_seconds or slowest + 60
        self._supervisor: subprocess.Popen[str] | None = None

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, detached: bool = False) -> None:
        """Start the supervisor and wait until every service is well.

        Args:
            detached: the stack goes on when this process ends.

        Raises:
            StackRunningError: the stack of this home runs already.
            EmbeddedError: a port is taken, or a service did not start; nothing is left running.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._supervisor = self._spawn(detached=detached)
        watchdog = threading.Timer(self._start_seconds, self._supervisor.terminate)
        watchdog.daemon = True
        watchdog.start()
        try:
            self._wait_until_ready(self._supervisor)
        except BaseException:
            self.stop()
            raise
        finally:
            watchdog.cancel()

    def stop(self) -> None:
        """Stop every service in order, and wait until all are gone."""
        if self._supervisor is None:
            return
        if self._supervisor.poll() is None:
            self._supervisor.terminate()
        self._supervisor.wait()

    def wait(self) -> int:
        """Block until the supervisor ends, whoever stops it, and return its exit code."""
        if self._supervisor is None:
            raise EmbeddedError("the stack was not started", where=str(self.home))
        return self._supervisor.wait()

    @property
    def state(self) -> StackState | None:
        """The state of every service now; None when the stack does not run."""
        return read_state(self.home)

    def _spawn(self, *, detached: bool) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            # -P: the home directory, where it works, is not a place to import from.
            [sys.executable, "-P", "-m", "lakehouse.embedded.supervisor"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if detached else None,
            text=True,
            cwd=self.home,
            start_new_session=True,
        )
        description = {
            "home": str(self.home),
            "detached": detached,
            "services": [service.to_json() for service in self.services],
        }
        owner = piped(process.stdin)
        owner.write(json.dumps(description) + "\n")
        owner.flush()
        if detached:
            owner.close()
        return process

    def _wait_until_ready(self, supervisor: subprocess.Popen[str]) -> None:
        seen: dict[str, Any] = {}
        for line in piped(supervisor.stdout):
            event = json.loads(line)
            if event["event"] == "ready":
                threading.Thread(target=_drain, args=(supervisor,), daemon=True).start()
                return
            if event["event"] == "error":
                raise (StackRunningError if event["already_running"] else EmbeddedError)(event["message"])
            if seen.get(event["service"]) != event["state"]:
                seen[event["service"]] = event["state"]
                self._on_state(event["service"], event["state"], event["note"])
        supervisor.wait()
        raise EmbeddedError(
            "the supervisor ended before every service was ready",
            where=str(self.home),
            remedy=f"its log is {self.home / 'logs' / 'supervisor.jsonl'}",
        )


def stop_stack(home: Path, timeout_seconds: float = 90) -> bool:
    """Stop the stack of this home, whoever started it, and wait until it is gone.

    Returns:
        False when none was running.

    Raises:
        EmbeddedError: it did not stop in time.
    """
    home = home.expanduser().resolve()
    if not is_locked(home):
        return False
    deadline = time.monotonic() + timeout_seconds
    asked = False
    while is_locked(home):
        state = read_state(home)
        if state and not asked:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(state.pid).send_signal(signal.SIGTERM)
            asked = True
        if time.monotonic() > deadline:
            pid = f"pid {state.pid}" if state else "its supervisor"
            raise EmbeddedError(
                f"the stack did not stop in {timeout_seconds:.0f} s", where=str(home), remedy=f"end {pid}"
            )
        time.sleep(0.05)
    return True


def _drain(supervisor: subprocess.Popen[str]) -> None:
    """Keep reading what the supervisor reports, so that it never waits for us."""
    for _ in piped(supervisor.stdout):
        pass
