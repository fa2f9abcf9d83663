"""From a source into landing files: over the protocol for any command, as Arrow where both ends are ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lakehouse.embedded.airbyte.connectors.streams import (
    ConfiguredStream,
    DirectRead,
    LogOptions,
    LogRead,
    LogState,
    Place,
    StreamReset,
    StreamState,
    state_messages,
)
from lakehouse.embedded.airbyte.messages import Message, Record, changes_of
from lakehouse.embedded.airbyte.protocol import ConnectorError, ConnectorProcess
from lakehouse.embedded.airbyte.read_ahead import read_ahead
from lakehouse.embedded.airbyte.records import LandingBatch, RecordBatcher
from lakehouse.embedded.airbyte.stream_sync import StreamSync, Sync, commit_together
from lakehouse.embedded.airbyte.tuning import Tuning

Streams = Mapping[StreamSync, Mapping[str, Any] | None]


def extract_directly(
    reader: DirectRead, configuration: Mapping[str, Any], streams: Streams, tuning: Tuning
) -> None:
    """Reads several streams at once, and few ones over several connections each; commits each when it is complete."""
    connections = max(1, tuning.threads // max(1, len(streams)))

    def read(stream: StreamSync) -> Iterator[_Read]:
        for item in reader(configuration, stream.stream, streams[stream], connections=connections):
            yield stream, item
        yield stream, None

    for stream, item in read_ahead([read(stream) for stream in streams], tuning.threads):
        if item is None:
            stream.commit(complete=True)
        elif isinstance(item, StreamState):
            stream.reach(item.state)
        else:
            stream.write(item)
            _bound_memory(streams, tuning.buffer_size_mb * 2**20)


_Read = tuple[StreamSync, LandingBatch | StreamState | None]  # None: the stream is complete


def _bound_memory(streams: Iterable[StreamSync], most: int) -> None:
    """Moves the largest buffer into its file when all together take more bytes than `most`."""
    if sum(stream.buffered_bytes for stream in streams) > most:
        max(streams, key=lambda stream: stream.buffered_bytes).spill()


def extract_log(
    sync: Sync,
    read: LogRead,
    configuration: Mapping[str, Any],
    streams: Sequence[StreamSync],
    *,
    options: LogOptions,
    tuning: Tuning,
) -> None:
    """Reads the log of several streams; what a state covers is committed in one transaction with it."""
    log = _Log(sync, streams)
    configured = [stream.stream for stream in streams]
    for item in read(configuration, configured, log.state, options=options):
        if isinstance(item, LogState):
            log.commit(item)
        elif isinstance(item, StreamReset):
            log.reset(_place(item.stream), item.reason)
        else:
            log.write(_place(item.stream), item.batch)
            _bound_memory(streams, tuning.buffer_size_mb * 2**20)


class _Log:
    """The streams of a log-based read, and the state that they have reached together."""

    def __init__(self, sync: Sync, streams: Sequence[StreamSync]) -> None:
        self._sync = sync
        self._streams = {_place(stream.stream): stream for stream in streams}
        stored = sync.store.log_state(sync.connection["id"])
        self.state = None if stored is None else LogState.from_json(stored)
        self._complete = set() if self.state is None else set(self.state.streams)

    def write(self, place: Place, batch: LandingBatch) -> None:
        self._streams[place].write(batch)

    def reset(self, place: Place, reason: str) -> None:
        because = f": {reason}" if reason else ""
        self._sync.log("WARN", f"stream {place[1]}: what was landed is superseded{because}")
        self._streams[place].begin_generation()
        self._complete.discard(place)

    def commit(self, state: LogState) -> None:
        """Commits what was written; streams whose snapshot the state calls complete lose older generations."""
        completed = [
            s for place, s in self._streams.items() if place in state.streams and place not in self._complete
        ]
        written = [stream for stream in self._streams.values() if stream.dirty and stream not in completed]
        store, connection = self._sync.store, self._sync.connection["id"]
        commit_together(
            self._sync,
            [*written, *completed],
            lambda: store.set_log_state(connection, state.to_json()),
            complete=completed,
        )
        self.state, self._complete = state, set(state.streams)


def _place(stream: ConfiguredStream) -> Place:
    return stream.namespace, stream.name


def extract_over_protocol(
    sync: Sync,
    command: Sequence[str],
    configuration: Mapping[str, Any],
    streams: Streams,
    scratch: Path,
) -> None:
    """Runs the connector's `read`; a stream is committed when it says COMPLETE, or at a good end.

    What a GLOBAL state covers is committed together with it.
    """
    log = _Log(sync, list(streams))
    places = {_place(stream.stream): stream for stream in streams}
    known = {place: state for place, stream in places.items() if (state := streams[stream]) is not None}
    files: dict[str, Any] = {
        "config": configuration,
        "catalog": {"streams": [stream.stream.to_json() for stream in streams]},
    }
    if log.state is not None:
        files["state"] = [{"type": "GLOBAL", "global": log.state.to_json()}]
    elif known:
        files["state"] = state_messages(known)
    receivers = {place: _Receiver(stream) for place, stream in places.items()}
    with ConnectorProcess(command, "read", files, scratch, sync.log) as process:
        for message in process.messages():
            record = message.record
            if record is not None and message.type == "RECORD":
                _receiver(receivers, record.namespace, record.stream).record(record)
            else:
                _receive(message, receivers, log)
    for receiver in receivers.values():
        receiver.complete()


class _Receiver:
    """Takes the messages of one stream."""

    def __init__(self, sync: StreamSync) -> None:
        self._sync = sync
        self._batcher = RecordBatcher(sync.stream.columns)
        self._complete = False

    def record(self, record: Record) -> None:
        if self._complete:
            raise ConnectorError(
                f"stream {self._sync.stream.name}: the connector sent a record after COMPLETE"
            )
        if self._batcher.add(bytes(record.data), record.emitted_at, changes_of(record)):
            self.flush()

    def state(self, state: Mapping[str, Any]) -> None:
        self.flush()
        self._sync.reach(state)
        if self._complete:
            self._sync.commit()

    def complete(self) -> None:
        if not self._complete:
            self.flush()
            self._sync.commit(complete=True)
            self._complete = True

    def flush(self) -> None:
        """Hands what was taken to the stream's files."""
        batch = self._batcher.flush()
        if batch is not None:
            self._sync.write(batch)


def _receive(message: Message, receivers: Mapping[Place, _Receiver], log: _Log) -> None:
    if message.type == "STATE" and message.state is not None:
        _receive_state(message.state, receivers, log)
    elif message.trace and message.trace.get("type") == "STREAM_STATUS":
        status = message.trace["stream_status"]
        if status.get("status") == "COMPLETE":
            descriptor = status["stream_descriptor"]
            _receiver(receivers, descriptor.get("namespace"), descriptor["name"]).complete()


def _receive_state(state: Mapping[str, Any], receivers: Mapping[Place, _Receiver], log: _Log) -> None:
    kind = state.get("type", "LEGACY")
    if kind == "GLOBAL":
        for receiver in receivers.values():
            receiver.flush()
        log.commit(LogState.from_json(state["global"]))
    elif kind == "STREAM":
        stream = state["stream"]
        descriptor = stream["stream_descriptor"]
        receiver = _receiver(receivers, descriptor.get("namespace"), descriptor["name"])
        receiver.state(stream.get("stream_state") or {})
    else:
        raise ConnectorError(
            f"the connector keeps {kind} state; this server keeps STREAM and GLOBAL state only"
        )


def _receiver(receivers: Mapping[Place, _Receiver], namespace: str | None, name: str) -> _Receiver:
    found = receivers.get((namespace, name)) or receivers.get((namespace or None, name))
    if found is None:
        raise ConnectorError(f"the connector sent stream {name}, which is not in the catalogue")
    return found
