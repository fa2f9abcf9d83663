"""Log lines of the stack: one JSON object a line, with timestamp, level, service and message."""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import UTC, datetime


def json_line(service: str, message: str, level: str = "INFO", **fields: object) -> str:
    """One log line without its newline; `timestamp` is UTC in ISO 8601 with milliseconds."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    entry = {"timestamp": now, "level": level, "service": service, "message": message, **fields}
    return json.dumps(entry, ensure_ascii=False, default=str)


def as_json_line(service: str, line: str) -> str:
    """The line itself when it is a JSON object with a message, else the line wrapped in one."""
    text = line.rstrip("\r\n")
    if text.startswith("{"):
        try:
            entry = json.loads(text)
        except ValueError:
            entry = {}
        if "message" in entry and "timestamp" in entry and entry.get("service"):
            return text
        if "message" in entry or "msg" in entry:
            known = {"message", "msg", "level", "service"}
            rest = {key: value for key, value in entry.items() if key not in known}
            message = str(entry.get("message", entry.get("msg")))
            return json_line(service, message, str(entry.get("level", "INFO")).upper(), **rest)
    return json_line(service, text)


def emit(service: str, message: str, level: str = "INFO", **fields: object) -> None:
    """Write one log line to standard error.

    Who read it may be gone (a supervisor killed with -9); a service that is shutting down must go on.
    """
    with contextlib.suppress(BrokenPipeError):
        print(json_line(service, message, level, **fields), file=sys.stderr, flush=True)
