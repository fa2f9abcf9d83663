"""One service as a running process: started in a group of its own, logged, stopped with all it started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from pathlib import Path

import psutil

from lakehouse.embedded.json_lines import as_json_line
from lakehouse.embedded.launch import launched, piped
from lakehouse.embedded.log_file import LogFile
from lakehouse.embedded.service import Service, is_well

TAG = "EMBEDDED_STACK_SERVICE"
"""Environment variable of all that a service started: `<home>:<service>:<owner's pid>:<its birth>`."""

_LEFTOVERS_SECONDS = 4
"""For what a service left behind: a Dagster run records that it was ended, Postgres writes its checkpoint."""


class ServiceProcess:
    """A started service. It gets SIGTERM from the kernel when the process that started it dies."""

    def __init__(self, service: Service, home: Path, log: LogFile) -> None:
        self.service = service
        self.tag = _tag(home, service.name)
        self.started_at = time.time()
        self._began = time.monotonic()
        self._log = log
        self._lines: deque[str] = deque(maxlen=50)
        self._process = subprocess.Popen(
            launched(service.command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=home,
            env={**os.environ, **service.env, TAG: self.tag, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    def is_well(self) -> bool:
        return self.exit_code is None and is_well(self.service.health, self.age_seconds)

    def last_words(self) -> str:
        """The message of its last error line, else of its last line, for the person who reads the failure."""
        self._reader.join(timeout=1)
        entries = [json.loads(as_json_line(self.service.name, line)) for line in self._lines]
        errors = [entry for entry in entries if entry.get("level") in ("ERROR", "CRITICAL")]
        chosen = (errors or entries)[-1:]
        return str(chosen[0]["message"]).strip() if chosen else "it printed nothing"

    def terminate(self) -> None:
        """Ask it to stop."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, and everything it started after a moment to end by itself."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        end_tagged(self.tag, _LEFTOVERS_SECONDS)

    def stop(self) -> None:
        """Ask it to stop, wait `stop_seconds`, then end what is left."""
        self.terminate()
        try:
            self._process.wait(self.service.stop_seconds)
        except subprocess.TimeoutExpired:
            self._log.write(f"did not stop in {self.service.stop_seconds:g} s; killed")
        self.kill()

    def _read(self) -> None:
        for line in piped(self._process.stdout):
            if line.strip():
                self._lines.append(line)
                self._log.write(line)


def end_tagged(tag: str, grace_seconds: float) -> None:
    """End every process with exactly this tag: SIGTERM, later SIGKILL."""
    _end([process for process, its_tag in _tagged() if its_tag == tag], grace_seconds)


def end_abandoned(home: Path, grace_seconds: float = 10.0) -> list[int]:
    """End what services of this home left running after their supervisor was killed: SIGTERM, later SIGKILL.

    Returns:
        The pids that were still there.
    """
    prefix = f"{home}:"
    left = [(process, tag) for process, tag in _tagged() if tag.startswith(prefix)]
    processes = [process for process, tag in left if not _owner_lives(tag)]
    _end(processes, grace_seconds)
    return [process.pid for process in processes]


def _tagged() -> list[tuple[psutil.Process, str]]:
    found = []
    for process in psutil.process_iter():
        try:
            tag = process.environ().get(TAG)
            if tag and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                found.append((process, tag))
        except psutil.Error:
            continue
    return found


def _tag(home: Path, service: str) -> str:
    owner = psutil.Process()
    return f"{home}:{service}:{owner.pid}:{owner.create_time():.0f}"


def _owner_lives(tag: str) -> bool:
    pid, created = tag.split(":")[-2:]
    try:
        owner = psutil.Process(int(pid))
        return f"{owner.create_time():.0f}" == created and owner.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False


def _end(processes: list[psutil.Process], grace_seconds: float) -> None:
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, processes = psutil.wait_procs(processes, timeout=grace_seconds)
    for process in processes:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=5)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
