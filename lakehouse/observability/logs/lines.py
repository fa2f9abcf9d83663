"""A line of a log file as a record: JSON of the stack's services, JSON of dbt, or any text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from lakehouse.observability.logs.record import LogRecord, level_of, moment, record_id, shortened

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Line:
    """A line and where it stands."""

    text: bytes
    source: str
    number: int
    service: str
    """Of the file."""
    read_at: datetime
    """Stands in for a time stamp where the line has none."""

    @property
    def id(self) -> str:
        """Of its record."""
        return record_id(self.source, self.number)


Parse = Callable[[Line], LogRecord | None]
"""None for a line that is no record: an empty one, or one that is left out."""


class _ServiceLine(msgspec.Struct):
    """What the stack's services write; other fields are theirs alone."""

    message: str | int | float
    timestamp: str | int | float | None = None
    level: str = ""
    service: str | None = None
    job_id: str | int | None = None
    connection_id: str | None = None
    run_id: str | None = None
    asset: str | None = None
    partition: str | None = None
    records_synced: int | None = None
    bytes_synced: int | None = None
    stack_trace: str | None = None
    exc_info: str | None = None
    detail: str | None = None


_SERVICE_LINE = msgspec.json.Decoder(_ServiceLine)


def service_line(line: Line) -> LogRecord | None:
    """A line of `<home>/logs/<service>.jsonl`, with timestamp, level, service and message."""
    try:
        said = _SERVICE_LINE.decode(line.text)
    except (msgspec.DecodeError, UnicodeDecodeError):  # no JSON, or fields of other types: kept as it is
        return text_line(line)
    message = str(said.message)
    for trace in (said.stack_trace, said.exc_info, said.detail):
        if trace:
            message = f"{message}\n{trace}"
    return LogRecord(
        id=line.id,
        timestamp=moment(said.timestamp, line.read_at),
        level=level_of(said.level),
        service=safe_name(said.service or line.service),
        message=shortened(message),
        job_id=None if said.job_id is None else str(said.job_id),
        connection_id=said.connection_id,
        run_id=said.run_id,
        asset=said.asset,
        partition=said.partition,
        records_synced=said.records_synced,
        bytes_synced=said.bytes_synced,
    )


def dbt_line(line: Line) -> LogRecord | None:
    """A line of dbt's JSON log (`--log-format-file json`)."""
    values = _object(line.text)
    info = values.get("info") if values else None
    if not isinstance(info, dict):
        return text_line(line)
    message = str(info.get("msg") or "").strip()
    if not message:
        return None
    extra = info.get("extra")
    run_id = extra.get("DAGSTER_RUN_ID") if isinstance(extra, dict) else None
    return LogRecord(
        id=line.id,
        timestamp=moment(_stamp(info.get("ts")), line.read_at),
        level=level_of(str(info.get("level", ""))),
        service=line.service,
        message=shortened(message),
        run_id=run_id,
        asset=_asset(values),
    )


def _asset(values: Any) -> str | None:
    """The model or snapshot that dbt tells of."""
    node = (values.get("data") or {}).get("node_info") or {}
    if node.get("resource_type") not in ("model", "snapshot"):
        return None
    relation = node.get("node_relation") or {}
    return f"{relation['schema']}/{relation['alias']}" if {"schema", "alias"} <= relation.keys() else None


def text_line(line: Line) -> LogRecord | None:
    """A line of any text."""
    text = line.text.decode(errors="replace").rstrip("\r\n")
    if not text.strip():
        return None
    return LogRecord(
        id=line.id,
        timestamp=moment(None, line.read_at),
        level="INFO",
        service=line.service,
        message=shortened(text),
    )


@lru_cache(maxsize=1024)
def safe_name(service: str) -> str:
    """A service's name as a folder of the lake can have it.

    >>> safe_name("../dbt core")
    '_dbt_core'
    """
    return _UNSAFE.sub("_", service.lstrip(".")[:100]).lstrip(".") or "unknown"


def _stamp(value: Any) -> str | float | None:
    return value if isinstance(value, str | float | int) else None


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return value if isinstance(value, dict) else None
