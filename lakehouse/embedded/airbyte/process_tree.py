"""A process with all that it started: bounded while it runs, ended together."""

from __future__ import annotations

import contextlib
import os
import resource
import signal

import psutil

MEMORY_BYTES = 4 * 2**30
_NICE = 5  # the server and the database of a laptop come first


def bound(pid: int) -> None:
    """Limit the memory of a process and of each that it starts, and let others go first.

    The limit is RLIMIT_DATA, memory a process can write to: RLIMIT_AS also counts what is only reserved, of
    which a Python process with threads has gigabytes.
    """
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        os.setpriority(os.PRIO_PROCESS, pid, _NICE)


def kill_tree(pid: int, *, group: bool) -> None:
    """Kill a process and its descendants, those in sessions of their own too; with `group` its group as well.

    A descendant whose parents have all ended and that left the group is not found.
    """
    descendants: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        descendants = psutil.Process(pid).children(recursive=True)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if group:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    for process in descendants:
        with contextlib.suppress(psutil.NoSuchProcess):  # it checks that the id is still that process
            process.kill()
