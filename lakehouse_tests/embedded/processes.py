"""For tests of processes: waiting, and telling which are left."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil


def eventually(condition: Callable[[], bool], seconds: float = 20, why: str = "the condition") -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{why} did not hold within {seconds} s"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def mentioning(path: Path) -> list[str]:
    """Command lines of live processes, other than ours, that have this path in them."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if str(path) in command and process.pid != psutil.Process().pid:
                found.append(f"{process.pid} {command}")
        except psutil.Error:
            continue
    return found
