"""Lines of a pipe, whatever a program writes there: read in large pieces, memory bounded."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

_PIECE = 2**20


class LineTooLongError(ValueError):
    """A line above the limit; the message gives the limit."""


def lines(descriptor: int, most: int) -> Iterator[list[bytes]]:
    """The lines that are there, in lists, without their ends; the last line may lack its end.

    Raises LineTooLongError for a line of more than `most` bytes.
    """
    widen(descriptor)
    parts: list[bytes] = []
    waiting = 0
    while piece := os.read(descriptor, _PIECE):
        end = piece.rfind(b"\n")
        if end >= 0:
            yield b"".join([*parts, piece[:end]]).split(b"\n")
            parts, waiting, piece = [], 0, piece[end + 1 :]
        parts.append(piece)
        waiting += len(piece)
        if waiting > most:
            raise LineTooLongError(f"a line of more than {most / 2**20:g} MiB")
    if waiting:
        yield [b"".join(parts)]


def cut_lines(descriptor: int, most: int) -> Iterator[bytes]:
    """Every line, the part beyond `most` bytes dropped; nothing that is written there stops it."""
    widen(descriptor)
    line = b""
    while piece := os.read(descriptor, _PIECE):
        *ended, rest = piece.split(b"\n")
        for text in ended:
            yield line + text[: most - len(line)]
            line = b""
        line += rest[: most - len(line)]
    if line:
        yield line


def widen(descriptor: int) -> None:
    """A pipe that holds as much as one read takes, where the system allows it: fewer changes of process."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIECE)
