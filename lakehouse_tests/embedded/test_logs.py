"""Log lines are JSON objects whatever a service prints, and log files are bounded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakehouse.embedded.json_lines import as_json_line, json_line
from lakehouse.embedded.log_file import KEPT, LogFile


def test_a_complete_line_stays_as_it_is() -> None:
    line = json_line("dremio", "ready", port=9047)
    assert as_json_line("other", line + "\n") == line


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        ("plain text\n", "INFO", "plain text"),
        ("\x1b[32m2026\x1b[0m started", "INFO", "2026 started"),
        ('{"event": "from structlog", "level": "warning", "timestamp": "x"}', "WARNING", "from structlog"),
        ('{"msg": "short", "level": "error"}', "ERROR", "short"),
        ('{"broken": ', "INFO", '{"broken": '),
        ("[1, 2]", "INFO", "[1, 2]"),
        ('{"neither": 1}', "INFO", '{"neither": 1}'),
    ],
)
def test_other_lines_are_wrapped(line: str, level: str, message: str) -> None:
    entry = json.loads(as_json_line("web", line))
    assert (entry["service"], entry["level"], entry["message"]) == ("web", level, message)
    assert entry["timestamp"].endswith("+00:00")


def test_other_fields_of_a_json_line_are_kept() -> None:
    assert json.loads(as_json_line("web", '{"event": "x", "logger": "dagster"}'))["logger"] == "dagster"


def test_file_is_rotated_when_it_is_full(tmp_path: Path) -> None:
    log = LogFile(tmp_path, "web", max_bytes=1000)
    for number in range(200):
        log.write(f"line {number}")
    log.write("   \n")
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["web.jsonl", *(f"web.jsonl.{number}" for number in range(1, KEPT + 1))]
    assert all(path.stat().st_size < 1300 for path in tmp_path.iterdir())
    newest = [*(tmp_path / "web.jsonl.1").read_text().splitlines(), *log.path.read_text().splitlines()]
    assert json.loads(newest[-1])["message"] == "line 199"
