"""What a source is asked to read: the configured catalog of the Airbyte protocol, and what it hands back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column, columns_of


@dataclass(frozen=True)
class ConfiguredStream:
    """One entry of the protocol's ConfiguredAirbyteCatalog."""

    name: str
    namespace: str | None
    json_schema: Mapping[str, Any]
    sync_mode: str
    destination_sync_mode: str
    cursor_field: tuple[str, ...]
    primary_key: tuple[tuple[str, ...], ...]
    generation_id: int = 0
    minimum_generation_id: int = 0

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> ConfiguredStream:
        """Reads an entry of `streams`."""
        stream = entry["stream"]
        return cls(
            name=stream["name"],
            namespace=stream.get("namespace"),
            json_schema=stream["json_schema"],
            sync_mode=entry["sync_mode"],
            destination_sync_mode=entry.get("destination_sync_mode", "append"),
            cursor_field=tuple(entry.get("cursor_field") or ()),
            primary_key=tuple(tuple(path) for path in entry.get("primary_key") or ()),
            generation_id=entry.get("generation_id") or 0,
            minimum_generation_id=entry.get("minimum_generation_id") or 0,
        )

    def to_json(self) -> dict[str, Any]:
        """The entry as the protocol writes it."""
        stream = {
            "name": self.name,
            "json_schema": self.json_schema,
            "supported_sync_modes": [self.sync_mode],
        }
        if self.namespace is not None:
            stream["namespace"] = self.namespace
        return {
            "stream": stream,
            "sync_mode": self.sync_mode,
            "destination_sync_mode": self.destination_sync_mode,
            "cursor_field": list(self.cursor_field),
            "primary_key": [list(path) for path in self.primary_key],
            "generation_id": self.generation_id,
            "minimum_generation_id": self.minimum_generation_id,
        }

    @property
    def columns(self) -> tuple[Column, ...]:
        """The selected fields, in catalog order."""
        return columns_of(self.json_schema)

    @property
    def incremental(self) -> bool:
        """Whether only what is new since the state is to be read."""
        return self.sync_mode == "incremental"


@dataclass(frozen=True)
class StreamState:
    """The state a stream has reached once everything handed back before it is safe."""

    state: Mapping[str, Any]


class DirectRead(Protocol):
    """How a source of ours hands Arrow batches to the worker without printing them."""

    def __call__(
        self,
        configuration: Mapping[str, Any],
        stream: ConfiguredStream,
        state: Mapping[str, Any] | None,
        *,
        connections: int,
    ) -> Iterator[LandingBatch | StreamState]:
        """Reads one stream, over `connections` at once at most. Raises ConnectorError with one clear line."""


Place = tuple[str | None, str]
"""A stream's namespace and name."""


@dataclass(frozen=True)
class LogState:
    """Where a log-based read of several streams stands: the protocol's GLOBAL state.

    `shared` is the position in the log, `streams` holds each stream's own state. A stream is in `streams` from
    the moment that its snapshot is complete.
    """

    shared: Mapping[str, Any]
    streams: Mapping[Place, Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The protocol's AirbyteGlobalState."""
        states = [
            {"stream_descriptor": _descriptor(*place), "stream_state": state}
            for place, state in self.streams.items()
        ]
        return {"shared_state": self.shared, "stream_states": states}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LogState:
        """Reads an AirbyteGlobalState."""
        streams = {
            (entry["stream_descriptor"].get("namespace"), entry["stream_descriptor"]["name"]): state
            for entry in value.get("stream_states") or ()
            if (state := entry.get("stream_state")) is not None
        }
        return cls(value.get("shared_state") or {}, streams)


@dataclass(frozen=True)
class StreamRows:
    """Rows of one stream of a log-based read."""

    stream: ConfiguredStream
    batch: LandingBatch


@dataclass(frozen=True)
class StreamReset:
    """All that was landed of the stream is superseded: what follows begins a generation of its own."""

    stream: ConfiguredStream
    reason: str = ""


@dataclass(frozen=True)
class LogOptions:
    """How long to read, in what portions, and over how many connections a large table."""

    tail_until: float | None = None
    """Epoch seconds until which new changes are waited for; None ends at the position of the start."""
    batch_rows: int = 10_000
    connections: int = 1


class LogRead(Protocol):
    """How a source of ours hands the changes of several streams to the worker: snapshots, then the log."""

    def __call__(
        self,
        configuration: Mapping[str, Any],
        streams: Sequence[ConfiguredStream],
        state: LogState | None,
        *,
        options: LogOptions,
    ) -> Iterator[StreamRows | StreamReset | LogState]:
        """Reads all streams from where `state` stands.

        What was handed back before a LogState is committed together with it before the next item is asked
        for: after it, the log may be released. No transaction of the source is split by a LogState.

        Raises ConnectorError with one clear line; of kind `transient_error` when a table changed since the
        read began, so that another attempt, which knows the new columns, goes on.
        """


def state_messages(states: Mapping[Place, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The content of `--state`: one STREAM state message a stream."""
    return [
        {
            "type": "STREAM",
            "stream": {"stream_descriptor": _descriptor(namespace, name), "stream_state": state},
        }
        for (namespace, name), state in states.items()
    ]


def _descriptor(namespace: str | None, name: str) -> dict[str, str]:
    return {"name": name} if namespace is None else {"name": name, "namespace": namespace}


def states_of(messages: object) -> dict[Place, Mapping[str, Any]]:
    """The stream states in the content of `--state`."""
    states: dict[Place, Mapping[str, Any]] = {}
    for message in messages if isinstance(messages, list) else []:
        if message.get("type") == "STREAM":
            descriptor = message["stream"]["stream_descriptor"]
            states[(descriptor.get("namespace"), descriptor["name"])] = message["stream"]["stream_state"]
    return states


def log_state_of(messages: object) -> LogState | None:
    """The GLOBAL state in the content of `--state`, if there is one."""
    for message in messages if isinstance(messages, list) else []:
        if message.get("type") == "GLOBAL":
            return LogState.from_json(message["global"])
    return None
