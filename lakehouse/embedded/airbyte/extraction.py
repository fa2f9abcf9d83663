"""From a source into landing files: over the protocol for any command, as Arrow where both ends are ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Queue
from typing import Any

from lakehouse.embedded.airbyte.connectors.streams import DirectRead, StreamState, state_messages
from lakehouse.embedded.airbyte.protocol import ConnectorError, ConnectorProcess, Message, Record, changes_of
from lakehouse.embedded.airbyte.records import LandingBatch, RecordBatcher
from lakehouse.embedded.airbyte.stream_sync import StreamSync

Streams = Mapping[StreamSync, Mapping[str, Any] | None]
_AHEAD = 2  # batches read while one is written


def extract_directly(reader: DirectRead, configuration: Mapping[str, Any], streams: Streams) -> None:
    """Reads one stream after the other; each is committed when it is complete."""

    def read() -> Iterator[_Read]:
        for sync, state in streams.items():
            for item in reader(configuration, sync.stream, state):
                yield sync, item
            yield sync, None

    for sync, item in _ahead(read()):
        if item is None:
            sync.commit(complete=True)
        elif isinstance(item, StreamState):
            sync.reach(item.state)
        else:
            sync.write(item)


_Read = tuple[StreamSync, LandingBatch | StreamState | None]  # None: the stream is complete


def _ahead(items: Iterator[_Read]) -> Iterator[_Read]:
    """The same items, produced in a thread of their own: the next batch is read while one is written."""
    queue: Queue[_Read | BaseException | None] = Queue(_AHEAD)

    def produce() -> None:
        try:
            for item in items:
                queue.put(item)
            queue.put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
            queue.put(error)

    threading.Thread(target=produce, daemon=True).start()
    while (item := queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


def extract_over_protocol(
    command: Sequence[str],
    configuration: Mapping[str, Any],
    streams: Streams,
    scratch: Path,
    log: Callable[[str, str], None],
) -> None:
    """Runs the connector's `read`; a stream is committed when it says COMPLETE, or at a good end."""
    places = {(sync.stream.namespace, sync.stream.name): sync for sync in streams}
    known = {place: state for place, sync in places.items() if (state := streams[sync]) is not None}
    files: dict[str, Any] = {
        "config": configuration,
        "catalog": {"streams": [sync.stream.to_json() for sync in streams]},
    }
    if known:
        files["state"] = state_messages(known)
    receivers = {place: _Receiver(sync) for place, sync in places.items()}
    with ConnectorProcess(command, "read", files, scratch, log) as process:
        for message in process.messages():
            _receive(message, receivers)
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
            self._flush()

    def state(self, state: Mapping[str, Any]) -> None:
        self._flush()
        self._sync.reach(state)
        if self._complete:
            self._sync.commit()

    def complete(self) -> None:
        if not self._complete:
            self._flush()
            self._sync.commit(complete=True)
            self._complete = True

    def _flush(self) -> None:
        batch = self._batcher.flush()
        if batch is not None:
            self._sync.write(batch)


def _receive(message: Message, receivers: Mapping[tuple[str | None, str], _Receiver]) -> None:
    if message.type == "RECORD" and message.record is not None:
        _receiver(receivers, message.record.namespace, message.record.stream).record(message.record)
    elif message.type == "STATE" and message.state is not None:
        if message.state.get("type") != "STREAM":
            kind = message.state.get("type", "LEGACY")
            raise ConnectorError(
                f"the connector keeps {kind} state; this server keeps state of type STREAM only"
            )
        stream = message.state["stream"]
        descriptor = stream["stream_descriptor"]
        receiver = _receiver(receivers, descriptor.get("namespace"), descriptor["name"])
        receiver.state(stream.get("stream_state") or {})
    elif message.trace and message.trace.get("type") == "STREAM_STATUS":
        status = message.trace["stream_status"]
        if status.get("status") == "COMPLETE":
            descriptor = status["stream_descriptor"]
            _receiver(receivers, descriptor.get("namespace"), descriptor["name"]).complete()


def _receiver(
    receivers: Mapping[tuple[str | None, str], _Receiver], namespace: str | None, name: str
) -> _Receiver:
    found = receivers.get((namespace, name)) or receivers.get((namespace or None, name))
    if found is None:
        raise ConnectorError(f"the connector sent stream {name}, which is not in the catalogue")
    return found
