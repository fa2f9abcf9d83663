"""Log files that grow by whole lines and are rotated by renaming.

A file is known by its first line, so a rotated one is the same under its new name, and one that has its name now is
another. Lines are numbered from its beginning: line 7 of a file gives the same record whenever it is read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO

from lakehouse.observability.logs.lines import Line, Parse
from lakehouse.observability.logs.record import LogRecord
from lakehouse.observability.logs.sources.source import MOST_RECORDS
from lakehouse.observability.logs.spool import Collected, Spool

_CHUNK = 2**20
_FIRST_LINE = 2**16
_FORGOTTEN_SECONDS = 3600.0
_ROTATED = re.compile(r"\.(\d+)$")


_State = tuple[int, int, int]
"""Inode, size and time of the last change."""


class LogFiles:
    """Files of one folder that one kind of program writes."""

    every_seconds = 1.0

    def __init__(
        self,
        name: str,
        paths: Callable[[], Iterable[Path]],
        spool: Spool,
        parse: Parse,
        service: Callable[[Path], str],
    ) -> None:
        """`paths` gives the files that there are, `service` whose log a file is."""
        self.name = name
        self._paths, self._spool, self._parse, self._service = paths, spool, parse, service
        self._prefix = f"file {name} "
        self._seen: dict[Path, tuple[_State, str]] = {}
        """How each file was when it was last read to its end, and its key: it need not be opened again."""
        self._positions: dict[str, dict[str, int]] = spool.positions(self._prefix)
        self._met = dict.fromkeys(self._positions, time.monotonic())

    def look(self) -> Iterator[Collected]:
        """The lines that came since the last look; rotated files first, the oldest of them before the others."""
        seen, self._seen = self._seen, {}
        for path in sorted(self._paths(), key=_age, reverse=True):
            try:
                found = path.stat()
                state = (found.st_ino, found.st_size, found.st_mtime_ns)
                if path in seen and seen[path][0] == state:
                    key = seen[path][1]
                else:
                    with path.open("rb") as file:
                        if not (key := self._key(path, file)):
                            continue
                        yield from self._new_lines(path, key, file)
            except FileNotFoundError:
                continue  # it was rotated just now, and is met again under its new name
            self._seen[path] = state, key
            self._met[key] = time.monotonic()
        yield from self._forget()

    def _key(self, path: Path, file: IO[bytes]) -> str:
        """By what the file is known; empty while its first line is not whole."""
        first = file.readline(_FIRST_LINE)
        if not first.endswith(b"\n") and len(first) < _FIRST_LINE:
            return ""
        return f"{self._prefix}{_stem(path).name} {blake2b(first, digest_size=8).hexdigest()}"

    def _new_lines(self, path: Path, key: str, file: IO[bytes]) -> Iterator[Collected]:
        position = self._positions.get(key, {"offset": 0, "line": 0})
        file.seek(position["offset"])
        service, read_at = self._service(_stem(path)), datetime.now(UTC)
        while block := _whole_lines(file):
            lines = block.splitlines(keepends=True)
            for at in range(0, len(lines), MOST_RECORDS):
                some = lines[at : at + MOST_RECORDS]
                records = self._records(key, position["line"], some, service, read_at)
                size = sum(map(len, some))
                position = {"offset": position["offset"] + size, "line": position["line"] + len(some)}
                yield Collected(records, {key: position})
                self._positions[key] = position
            file.seek(position["offset"])

    def _records(
        self, key: str, before: int, lines: list[bytes], service: str, read_at: datetime
    ) -> list[LogRecord]:
        parsed = (
            self._parse(Line(text, key, before + number, service, read_at))
            for number, text in enumerate(lines)
        )
        return [record for record in parsed if record is not None]

    def _forget(self) -> Iterator[Collected]:
        """Positions of files that are gone. Not at once: while files are renamed one may be missed."""
        long_ago = time.monotonic() - _FORGOTTEN_SECONDS
        gone = [key for key, met in self._met.items() if met < long_ago]
        if gone:
            yield Collected([], dict.fromkeys(gone))
            for key in gone:
                self._positions.pop(key, None)
                del self._met[key]


def _whole_lines(file: IO[bytes]) -> bytes:
    """What there is up to the last end of a line; a line longer than a block as it is."""
    block = file.read(_CHUNK)
    if len(block) < _CHUNK or b"\n" in block:
        return block[: block.rfind(b"\n") + 1]
    return block


def _stem(path: Path) -> Path:
    """The name that the file had when it was written to."""
    return path.with_name(_ROTATED.sub("", path.name))


def _age(path: Path) -> tuple[str, int]:
    found = _ROTATED.search(path.name)
    return str(_stem(path)), int(found[1]) if found else 0
