"""Start a program that does not outlive the process that started it.

Run as `python launch.py <pid of the starter> <signal> <uid:gid or -> <program> <arguments...>`: becomes the
user, asks the kernel to send the signal when the starter dies (prctl PR_SET_PDEATHSIG, kept over exec, lost
when the user changes), gives SIGINT its default meaning back (shells start background jobs with it ignored,
and ignored signals are inherited), and becomes the program.
A program of its own because Python code between fork and exec is unsafe in a process with threads.
Imports nothing of this package, so that it starts in some milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import IO

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, signal_number: int) -> None:
    """Have the kernel send `signal_number` to this process when `parent` dies, or at once if it is gone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)


def launched(
    arguments: Sequence[str],
    signal_number: signal.Signals = signal.SIGTERM,
    identity: tuple[int, int] | None = None,
) -> list[str]:
    """The command line that starts `arguments` bound to the life of this process.

    Args:
        signal_number: what the program gets when this process dies.
        identity: user and group id to become first; only root can.
    """
    bound = [str(os.getpid()), str(int(signal_number)), f"{identity[0]}:{identity[1]}" if identity else "-"]
    return [sys.executable, "-I", "-S", __file__, *bound, *arguments]


def piped(stream: IO[str] | None) -> IO[str]:
    """The stream of a process that was started with a pipe there."""
    if stream is None:
        raise ValueError("this process was started without a pipe")
    return stream


def become(identity: str) -> None:
    """Give up root for `uid:gid`, for good; `-` changes nothing."""
    if identity != "-":
        uid, gid = (int(part) for part in identity.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def main() -> None:
    parent, signal_number, identity, program, *arguments = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    become(identity)
    die_with_parent(int(parent), int(signal_number))
    os.execvp(program, [program, *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
