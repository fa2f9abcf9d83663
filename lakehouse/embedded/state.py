"""`<home>/stack.json`: what runs, for everybody who asks; `<home>/stack.lock`: held while it runs."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lakehouse.embedded.errors import EmbeddedError

WAITING, STARTING, RUNNING = "waiting", "starting", "running"
RESTARTING, FAILED, STOPPING, STOPPED = "restarting", "failed", "stopping", "stopped"


class StackRunningError(EmbeddedError):
    """Another supervisor runs the stack of this home."""


@dataclass
class ServiceState:
    """One service at one moment."""

    name: str
    state: str = WAITING
    address: str = ""
    pid: int | None = None
    ports: list[int] = field(default_factory=list)
    started_at: float | None = None
    """Of the current process, seconds since the epoch."""
    restarts: int = 0
    note: str = ""
    """Why it is in this state, when that needs saying."""


@dataclass
class StackState:
    """The stack at one moment."""

    pid: int
    """Of the supervisor."""
    started_at: float
    services: list[ServiceState]

    def service(self, name: str) -> ServiceState | None:
        return next((service for service in self.services if service.name == name), None)


def read_state(home: Path) -> StackState | None:
    """The state of the running stack of this home, or None when none runs (whatever a killed one left)."""
    if not is_locked(home):
        return None
    try:
        values = json.loads((home / "stack.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    services = [ServiceState(**service) for service in values["services"]]
    return StackState(values["pid"], values["started_at"], services)


def write_state(home: Path, state: StackState) -> None:
    """Replace the state file atomically."""
    draft = home / f".stack.json.{os.getpid()}"
    draft.write_text(json.dumps(asdict(state), indent=1) + "\n")
    draft.replace(home / "stack.json")


def clear_state(home: Path) -> None:
    (home / "stack.json").unlink(missing_ok=True)


def is_locked(home: Path) -> bool:
    """True while a supervisor of this home lives."""
    try:
        with _open_lock(home, os.O_RDONLY) as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def stack_lock(home: Path) -> Iterator[None]:
    """Be the only supervisor of this home. The kernel frees the lock however the process ends.

    Raises:
        StackRunningError: another one is.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _open_lock(home, os.O_RDWR | os.O_CREAT) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = read_state(home)
            pid = f" (pid {state.pid})" if state else ""
            raise StackRunningError(
                f"the stack is already running{pid}", where=str(home), remedy="stop it with `lakehouse down`"
            ) from None
        yield


@contextmanager
def _open_lock(home: Path, flags: int) -> Iterator[int]:
    handle = os.open(home / "stack.lock", flags, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)
