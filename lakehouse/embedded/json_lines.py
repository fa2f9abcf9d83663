"""Log lines of the stack: one JSON object a line, with timestamp, level, service and message."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from datetime import UTC, datetime
from typing import Any

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def json_line(service: str, message: str, level: str = "INFO", **fields: object) -> str:
    """One log line without its newline; `timestamp` is UTC in ISO 8601 with milliseconds."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    entry = {"timestamp": now, "level": level, "service": service, "message": message, **fields}
    return json.dumps(entry, ensure_ascii=False, default=str)


def as_json_line(service: str, line: str) -> str:
    """The line itself when it has all fields, else its content as a line that has.

    Knows the JSON of structlog (`event` for the message), which Dagster writes. Colours are removed.
    """
    text = _COLOURS.sub("", line.rstrip("\r\n"))
    entry = _json_object(text)
    if entry is None:
        return json_line(service, text)
    if all(entry.get(name) for name in ("timestamp", "level", "service", "message")):
        return text
    message = next((str(entry.pop(name)) for name in ("message", "event", "msg") if name in entry), text)
    level = str(entry.pop("level", "INFO")).upper()
    rest = {name: value for name, value in entry.items() if name not in ("timestamp", "service")}
    return json_line(service, message, level, **rest)


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def emit(service: str, message: str, level: str = "INFO", **fields: object) -> None:
    """Write one log line to standard error.

    Who read it may be gone (a supervisor killed with -9); a service that is shutting down must go on.
    """
    with contextlib.suppress(BrokenPipeError):
        print(json_line(service, message, level, **fields), file=sys.stderr, flush=True)
