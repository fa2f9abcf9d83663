"""The messages of the Airbyte protocol: one JSON object a line, its envelope typed, a record's data left as text.

Source: Airbyte protocol v0, message types RECORD, STATE, LOG, TRACE, CATALOG, CONNECTION_STATUS, SPEC, CONTROL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lakehouse.embedded.airbyte.coercion import Change


class RecordChange(msgspec.Struct):
    """What a source itself did to a value (AirbyteRecordMessageMetaChange)."""

    field: str
    change: str
    reason: str


class RecordMeta(msgspec.Struct):
    """`meta` of a record."""

    changes: list[RecordChange] | None = None


class Record(msgspec.Struct, gc=False):
    """A RECORD message; `data` stays undecoded text."""

    stream: str
    data: msgspec.Raw
    emitted_at: int
    namespace: str | None = None
    meta: RecordMeta | None = None


class Message(msgspec.Struct, gc=False):
    """The envelope of every message."""

    type: str
    record: Record | None = None
    state: dict[str, Any] | None = None
    log: dict[str, Any] | None = None
    trace: dict[str, Any] | None = None
    catalog: dict[str, Any] | None = None
    connection_status: dict[str, Any] | None = msgspec.field(default=None, name="connectionStatus")
    spec: dict[str, Any] | None = None
    control: dict[str, Any] | None = None


class MalformedMessageError(ValueError):
    """A line that is meant as a message and cannot be read as one: to skip it would lose what it says."""


class _Descriptor(msgspec.Struct):
    name: str
    namespace: str | None = None


class _StreamState(msgspec.Struct):
    stream_descriptor: _Descriptor
    stream_state: dict[str, Any] | None = None


class _GlobalState(msgspec.Struct):
    stream_states: list[_StreamState]
    shared_state: dict[str, Any] | None = None


class _StreamStatus(msgspec.Struct):
    stream_descriptor: _Descriptor
    status: str


_DECODER = msgspec.json.Decoder(Message)
_TYPES = ("RECORD", "STATE", "LOG", "TRACE", "CATALOG", "CONNECTION_STATUS", "SPEC", "CONTROL")
_SHAPES: Mapping[tuple[str, str], tuple[str, Any]] = {
    ("STATE", "STREAM"): ("stream", _StreamState),
    ("STATE", "GLOBAL"): ("global", _GlobalState),
    ("TRACE", "STREAM_STATUS"): ("stream_status", _StreamStatus),
    ("TRACE", "ERROR"): ("error", dict[str, Any]),
}
_MEANT_AS_DATA = re.compile(rb'\s*\{\s*"type"\s*:\s*"(RECORD|STATE)"')


def decode(line: bytes) -> Message | None:
    """A line of a connector's output, or None when the line is no message (by convention: a log line).

    Raises:
        MalformedMessageError: the line is a message of a known type and lacks what the type must have, or it is
            a broken RECORD or STATE.
    """
    try:
        message = _DECODER.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        return _decode_leniently(line, error)
    if message.record is None or message.type != "RECORD":
        _check(message)
    return message


def _decode_leniently(line: bytes, error: Exception) -> Message | None:
    """Python sources print NaN, which is not JSON: the message must not be lost for it."""
    try:
        loose = json.loads(line)
    except (ValueError, RecursionError):
        if _MEANT_AS_DATA.match(line):
            raise MalformedMessageError(f"a broken message ({error}): {shortened(line)}") from None
        return None
    if not isinstance(loose, dict) or loose.get("type") not in _TYPES:
        return None
    if isinstance(error, msgspec.ValidationError) or loose["type"] != "RECORD":
        raise MalformedMessageError(f"an invalid {loose['type']} message ({error}): {shortened(line)}")
    try:
        record = loose["record"]
        data = {
            name: str(v) if isinstance(v, float) and v - v != 0 else v for name, v in record["data"].items()
        }
        return _DECODER.decode(msgspec.json.encode({"type": "RECORD", "record": {**record, "data": data}}))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        reason = f"an invalid RECORD message ({problem}): {shortened(line)}"
        raise MalformedMessageError(reason) from None


def _check(message: Message) -> None:
    """The parts that are read later are there and have the right types."""
    if message.type not in _TYPES:
        return
    name = "connection_status" if message.type == "CONNECTION_STATUS" else message.type.lower()
    content = getattr(message, name)
    if content is None:
        raise MalformedMessageError(f"a {message.type} message without `{name}`")
    if message.type not in ("STATE", "TRACE"):
        return
    variant = content.get("type")
    place, shape = _SHAPES.get((message.type, str(variant)), ("", None))
    if shape is not None:
        try:
            msgspec.convert(content.get(place), shape)
        except msgspec.ValidationError as error:
            raise MalformedMessageError(f"an invalid {variant} {message.type} message ({error})") from None


def changes_of(record: Record) -> list[Change]:
    """The changes a source itself made to a record's values."""
    if record.meta is None or not record.meta.changes:
        return []
    return [Change(change.field, change.change, change.reason) for change in record.meta.changes]


def shortened(line: bytes, most: int = 200) -> str:
    """The beginning of a line, for people."""
    text = line[:most].decode(errors="replace").strip()
    return text if len(line) <= most else f"{text}…"
