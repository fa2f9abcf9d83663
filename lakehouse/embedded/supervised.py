"""One service under supervision: the states it goes through, and what moves it from one to the next."""

from __future__ import annotations

import time
from collections.abc import Set
from pathlib import Path
from typing import Protocol

from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.log_file import LogFile
from lakehouse.embedded.process import ServiceProcess
from lakehouse.embedded.restarts import RestartPolicy
from lakehouse.embedded.service import Service
from lakehouse.embedded.state import (
    FAILED,
    RESTARTING,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    ServiceState,
)


class Say(Protocol):
    def __call__(self, message: str, level: str = "INFO", **fields: object) -> None: ...


class Supervised:
    """waiting -> starting -> running; when it dies: restarting -> starting …, or failed."""

    def __init__(self, service: Service, home: Path, say: Say) -> None:
        ports = [port.number for port in service.ports]
        self.service = service
        self.state = ServiceState(service.name, address=service.address, ports=ports)
        self._home = home
        self._log = LogFile(home / "logs", service.name)
        self._say = say
        self._policy = RestartPolicy(service.max_restarts)
        self._process: ServiceProcess | None = None
        self._start_at = 0.0

    def step(self, running: Set[str], *, starting: bool) -> bool:
        """Look at the service once and move it on.

        Args:
            running: names of the services that are well.
            starting: the stack is still in its first start, where a service that gives up is an error.

        Returns:
            Whether its state changed.

        Raises:
            EmbeddedError: during the first start the service ended by itself, or was not well in time.
        """
        before = (self.state.state, self.state.pid)
        match self.state.state:
            case "waiting" if running >= set(self.service.requires):
                self._start()
            case "restarting" if time.monotonic() >= self._start_at:
                self._start()
            case "starting":
                self._check_start(starting=starting)
            case "running":
                self._check_life()
        return before != (self.state.state, self.state.pid)

    def announce_stop(self) -> None:
        self._move(STOPPING)

    def stop(self) -> None:
        """Stop the service with everything it started; blocks until it is gone."""
        if self._process:
            self._process.stop()
        self.state.pid = None
        self._move(STOPPED)

    def _start(self) -> None:
        self._process = ServiceProcess(self.service, self._home, self._log)
        self.state.pid = self._process.pid
        self.state.started_at = self._process.started_at
        self._move(STARTING)

    def _check_start(self, *, starting: bool) -> None:
        process = self._current()
        if process.exit_code is not None:
            # Killed from outside: try again. Ended by itself at the first start: there is a cause to report.
            if starting and process.exit_code >= 0:
                raise EmbeddedError(
                    f"ended with code {process.exit_code} before it was ready: {process.last_words()}",
                    where=self.service.name,
                    remedy=f"its log is {self._log.path}",
                )
            self._died()
        elif process.is_well():
            self._move(RUNNING)
        elif process.age_seconds > self.service.start_seconds:
            late = f"not ready after {self.service.start_seconds:.0f} s"
            if starting:
                raise EmbeddedError(late, where=self.service.name, remedy=f"its log is {self._log.path}")
            self._died(late)

    def _check_life(self) -> None:
        if self._current().exit_code is not None:
            self._died()

    def _died(self, reason: str = "") -> None:
        process = self._current()
        reason = reason or _ending(process.exit_code)
        process.kill()
        self.state.pid = None
        delay = self._policy.delay_after_death(time.monotonic())
        if delay is None:
            self._move(FAILED, f"{reason} too often; not started again until the next `up`", "ERROR")
            return
        self.state.restarts += 1
        self._start_at = time.monotonic() + delay
        self._move(RESTARTING, f"{reason}; starting it again in {delay:g} s", "WARNING")

    def _move(self, state: str, note: str = "", level: str = "INFO") -> None:
        self.state.state = state
        self.state.note = note
        message = f"{self.service.name} {state}" + (f": {note}" if note else "")
        self._say(message, level, target=self.service.name, state=state, pid=self.state.pid)

    def _current(self) -> ServiceProcess:
        if self._process is None:
            raise RuntimeError(f"{self.service.name} has no process in state {self.state.state}")
        return self._process


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"ended with code {exit_code}"
