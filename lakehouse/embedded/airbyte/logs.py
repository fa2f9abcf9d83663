"""Logs of the server as JSON lines on standard error."""

from __future__ import annotations

import logging
import sys

from lakehouse.embedded.json_lines import json_line

SERVICE = "airbyte"
_FIELDS = ("job_id", "connection_id")


class JsonLines(logging.Formatter):
    """One JSON object a line, with what the call added in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        fields = {name: record.__dict__[name] for name in _FIELDS if name in record.__dict__}
        if record.exc_info:
            fields["stack_trace"] = self.formatException(record.exc_info)
        return json_line(SERVICE, record.getMessage(), record.levelname, **fields)


def log_to_stderr() -> None:
    """Send every log record of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
