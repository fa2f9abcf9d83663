"""A service that writes a log, and what of it arrived."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from lakehouse.embedded.json_lines import json_line
from lakehouse.embedded.log_file import LogFile
from lakehouse.observability.logs.query import LogQuery
from lakehouse.observability.logs.store import LogStore


class Writer:
    """Writes lines `line 0`, `line 1`, … as the services of the stack do."""

    def __init__(self, home: Path, service: str = "airbyte", max_bytes: int = 2**30) -> None:
        self._file = LogFile(home / "logs", service, max_bytes)
        self._service = service
        self.written = 0

    def write(self, lines: int) -> None:
        for number in range(self.written, self.written + lines):
            self._file.write(json_line(self._service, f"line {number} of many", job_id=str(number // 100)))
        self.written += lines


def stored(store: LogStore) -> Counter[str]:
    """How often each message is in the store."""
    found: Counter[str] = Counter()
    page: str | None = None
    while True:
        answer = store.search(LogQuery("many"), limit=1000, page=page)
        found.update(record.message for record in answer.records)
        page = answer.next
        if page is None:
            return found


def archived(home: Path, service: str = "airbyte") -> Counter[str]:
    """How often each message is in the lake."""
    found: Counter[str] = Counter()
    for path in (home / "lake" / "logs" / service).glob("date=*/*.json.gz"):
        with gzip.open(path, "rt") as lines:
            found.update(json.loads(line)["message"] for line in lines)
    return found


def once(lines: int) -> Counter[str]:
    """Every line exactly once."""
    return Counter(f"line {number} of many" for number in range(lines))


def started(home: Path) -> subprocess.Popen[bytes]:
    """`lakehouse logs ship` as the stack runs it."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "lakehouse.cli", "logs", "ship"],
        env={**os.environ, "LAKEHOUSE_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
