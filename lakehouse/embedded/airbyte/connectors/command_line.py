"""`spec | check | discover | read` on a command line: the protocol side of the sources of ours."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.connectors.streams import (
    ConfiguredStream,
    StreamState,
    state_messages,
    states_of,
)
from lakehouse.embedded.airbyte.protocol import ConnectorError


class Source(Protocol):
    """A source of ours, as the protocol sees it."""

    def spec(self) -> dict[str, Any]:
        """The ConnectorSpecification."""

    def check(self, configuration: Mapping[str, Any]) -> None:
        """Tries the configuration. Raises ConnectorError with one clear line."""

    def discover(self, configuration: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The streams of the source, as AirbyteStream objects."""

    def read(
        self, configuration: Mapping[str, Any], stream: ConfiguredStream, state: Mapping[str, Any] | None
    ) -> Iterator[tuple[bytes, dict[str, Any] | None] | StreamState]:
        """One stream's records (`data` as JSON text, `meta`) and states."""


def run(source: Source, arguments: Sequence[str] | None = None) -> int:
    """Runs one command of the protocol and returns the exit code; failures are printed as a TRACE message."""
    options = _parser().parse_args(arguments)
    try:
        for message in _messages(source, options):
            _print(message)
    except ConnectorError as error:
        if options.command == "check":
            _print(_status("FAILED", str(error)))
            return 0
        _print(_trace(error))
        return 1
    finally:
        sys.stdout.flush()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A source that speaks the Airbyte protocol.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("spec")
    for name in ("check", "discover", "read"):
        command = commands.add_parser(name)
        command.add_argument("--config", type=Path, required=True)
        if name == "read":
            command.add_argument("--catalog", type=Path, required=True)
            command.add_argument("--state", type=Path)
    return parser


def _messages(source: Source, options: argparse.Namespace) -> Iterator[Mapping[str, Any] | bytes]:
    if options.command == "spec":
        yield {"type": "SPEC", "spec": source.spec()}
        return
    configuration = json.loads(options.config.read_text())
    if options.command == "check":
        source.check(configuration)
        yield _status("SUCCEEDED")
    elif options.command == "discover":
        streams = source.discover(configuration)
        for stream in streams:
            if not stream.get("source_defined_primary_key"):
                yield _log("WARN", f"stream {stream['name']} has no primary key: it can only be read in full")
        yield {"type": "CATALOG", "catalog": {"streams": streams}}
    else:
        states = states_of(json.loads(options.state.read_text())) if options.state else {}
        for entry in json.loads(options.catalog.read_text())["streams"]:
            configured = ConfiguredStream.from_json(entry)
            state = states.get((configured.namespace, configured.name))
            yield from _read_stream(source, configuration, configured, state)


def _read_stream(
    source: Source,
    configuration: Mapping[str, Any],
    stream: ConfiguredStream,
    state: Mapping[str, Any] | None,
) -> Iterator[Mapping[str, Any] | bytes]:
    yield _stream_status(stream, "STARTED")
    envelope = _Envelope(stream)
    for item in source.read(configuration, stream, state):
        if isinstance(item, StreamState):
            (message,) = state_messages({(stream.namespace, stream.name): item.state})
            yield {"type": "STATE", "state": message}
        else:
            yield envelope.around(*item)
    yield _stream_status(stream, "COMPLETE")


class _Envelope:
    """RECORD messages put together as bytes: encoding an object for each would halve the speed of a read."""

    def __init__(self, stream: ConfiguredStream) -> None:
        named = {"stream": stream.name} | (
            {} if stream.namespace is None else {"namespace": stream.namespace}
        )
        self._named = msgspec.json.encode(named)[:-1]
        self._emitted = 0
        self._start = b""

    def around(self, data: bytes, meta: Mapping[str, Any] | None) -> bytes:
        """The message, without a line end, of a record's JSON text."""
        if self._emitted % _CLOCK_EVERY == 0:
            self._start = b'{"type":"RECORD","record":%b,"emitted_at":%d,"data":' % (self._named, epoch_ms())
        self._emitted += 1
        if meta is None:
            return b"%b%b}}" % (self._start, data)
        return b'%b%b,"meta":%b}}' % (self._start, data, msgspec.json.encode(meta))


_CLOCK_EVERY = 1000  # records


def _stream_status(stream: ConfiguredStream, status: str) -> Mapping[str, Any]:
    descriptor = {"name": stream.name, "namespace": stream.namespace}
    body = {"stream_descriptor": descriptor, "status": status}
    now = epoch_ms()
    return {"type": "TRACE", "trace": {"type": "STREAM_STATUS", "emitted_at": now, "stream_status": body}}


def _status(status: str, message: str | None = None) -> Mapping[str, Any]:
    body = {"status": status} if message is None else {"status": status, "message": message}
    return {"type": "CONNECTION_STATUS", "connectionStatus": body}


def _log(level: str, message: str) -> Mapping[str, Any]:
    return {"type": "LOG", "log": {"level": level, "message": message}}


def _trace(error: ConnectorError) -> Mapping[str, Any]:
    body = {"message": str(error), "internal_message": error.detail, "failure_type": error.kind}
    return {"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": epoch_ms(), "error": body}}


_ENCODER = msgspec.json.Encoder()


def _print(message: Mapping[str, Any] | bytes) -> None:
    sys.stdout.buffer.write((message if isinstance(message, bytes) else _ENCODER.encode(message)) + b"\n")
