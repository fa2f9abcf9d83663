"""Log files of the services: JSON lines, bounded in size."""

from __future__ import annotations

import threading
from pathlib import Path

from lakehouse.embedded.json_lines import as_json_line

MAX_BYTES = 10 * 1024 * 1024
KEPT = 3


class LogFile:
    """`<service>.jsonl`, rotated to `.1` … `.3` when it is full; safe to write from several threads."""

    def __init__(self, directory: Path, service: str, max_bytes: int = MAX_BYTES) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / f"{service}.jsonl"
        self._service = service
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._file = self.path.open("ab")

    def write(self, line: str) -> None:
        """Append one line, wrapped in a JSON object unless it is one. Blank lines are dropped."""
        if not line.strip():
            return
        with self._lock:
            self._file.write(as_json_line(self._service, line).encode() + b"\n")
            self._file.flush()
            if self._file.tell() > self._max_bytes:
                self._rotate()

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(KEPT, 0, -1):
            older = self._numbered(number - 1) if number > 1 else self.path
            if older.exists():
                older.replace(self._numbered(number))
        self._file = self.path.open("ab")

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
