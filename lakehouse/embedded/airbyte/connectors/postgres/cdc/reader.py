"""source-postgres, method CDC: snapshots of the tables that have none, then the log from where the state stands.

The log is peeked in rounds, and the slot advanced only after the rows are committed: a kill repeats a round and
skips, by the commit position, what the state covers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from lakehouse.embedded.airbyte.connectors.postgres.cdc.columns import (
    LOG_COLUMNS,
)
from lakehouse.embedded.airbyte.connectors.postgres.cdc.followable import require_followable
from lakehouse.embedded.airbyte.connectors.postgres.cdc.identity import Identity, identities
from lakehouse.embedded.airbyte.connectors.postgres.cdc.log import Log
from lakehouse.embedded.airbyte.connectors.postgres.cdc.publication import (
    check_identity,
    check_server,
    ensure_published,
)
from lakehouse.embedded.airbyte.connectors.postgres.cdc.slot import Slot
from lakehouse.embedded.airbyte.connectors.postgres.cdc.snapshot import read_snapshot
from lakehouse.embedded.airbyte.connectors.postgres.configuration import Cdc, PostgresConfiguration
from lakehouse.embedded.airbyte.connectors.postgres.tables import (
    Table,
    configuration_of,
    connected,
    table_for,
)
from lakehouse.embedded.airbyte.connectors.streams import (
    ConfiguredStream,
    LogOptions,
    LogRead,
    LogState,
    Place,
    StreamReset,
    StreamRows,
)
from lakehouse.embedded.airbyte.protocol import ConnectorError

_POLL_SECONDS = 0.5
_IDLE_STATE_SECONDS = 10  # how long the server may keep log that holds nothing of ours
_TAIL_STATES = 100  # a longer job would leave too many small files under one sync's name


def reader_of(configuration: Mapping[str, Any]) -> LogRead | None:
    """The log's reader where the configuration says CDC."""
    return read if isinstance(configuration_of(configuration).replication_method, Cdc) else None


def read(
    configuration: Mapping[str, Any],
    streams: Sequence[ConfiguredStream],
    state: LogState | None,
    *,
    options: LogOptions,
) -> Iterator[StreamRows | StreamReset | LogState]:
    """All streams, from where `state` stands; see LogRead."""
    settings = configuration_of(configuration)
    cdc = settings.replication_method
    if not isinstance(cdc, Cdc):
        raise TypeError("the configuration's replication method is not CDC")
    with connected(settings, writable=True) as connection, connected(settings) as lookups:
        tables = _tables(connection, settings, cdc, streams)
        slot = Slot(connection, settings, cdc)
        log = Log(connection, lookups, cdc, options)
        log.follow(streams, tables)
        now = identities(connection, cdc.publication, tables)
        reading = _Reading(connection, settings, cdc, slot, log, streams, tables, now, options.connections)
        yield from reading.begin(state)
        yield from reading.snapshots()
        if options.tail_until is None:
            yield from reading.catch_up(slot.position())
        else:
            yield from reading.tail(options.tail_until)


def _tables(
    connection: psycopg.Connection[Any],
    settings: PostgresConfiguration,
    cdc: Cdc,
    streams: Sequence[ConfiguredStream],
) -> dict[Place, Table]:
    check_server(connection, settings)
    for stream in streams:
        LOG_COLUMNS.require(stream)
    plain = [LOG_COLUMNS.taken_from(stream) for stream in streams]
    tables = {_place(stream): table_for(connection, stream) for stream in plain}
    for stream in plain:
        check_identity(connection, tables[_place(stream)])
        require_followable(connection, stream, tables[_place(stream)])
    selected = [(tables[_place(stream)], stream.json_schema["properties"]) for stream in plain]
    ensure_published(connection, cdc.publication, selected)
    return tables


def _place(stream: ConfiguredStream) -> Place:
    return stream.namespace, stream.name


@dataclass
class _Reading:
    connection: psycopg.Connection[Any]
    settings: PostgresConfiguration
    cdc: Cdc
    slot: Slot
    log: Log
    streams: Sequence[ConfiguredStream]
    tables: Mapping[Place, Table]
    identities: Mapping[Place, Identity]
    connections: int
    position: int = 0
    """All that committed before is handed back."""
    done: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    """The state of each stream that has a snapshot."""

    def begin(self, state: LogState | None) -> Iterator[StreamReset]:
        """Finds or makes the slot; where the log cannot be followed on, everything starts again.

        So does a table to which something happened that the log does not tell.
        """
        if self.cdc.heartbeat_action_query:
            self.connection.execute(self.cdc.heartbeat_action_query.encode())
        lost = self.slot.why_lost(state.shared) if state else None
        if lost is not None and self.cdc.invalid_cdc_cursor_position_behavior == "Fail sync":
            raise ConnectorError(
                f"the log cannot be followed from the last sync on: {lost}; refresh the connection, or set"
                ' invalid_cdc_cursor_position_behavior to "Re-sync data"',
                kind="config_error",
            )
        if state is None or lost is not None:
            self.slot.ensure(anew=lost is not None)
        else:
            self.position = int(state.shared["lsn"])
            self.slot.release(self.position)
            places = {_place(stream) for stream in self.streams}
            self.done = {place: value for place, value in state.streams.items() if place in places}
        for stream in self.streams:
            place = _place(stream)
            why = lost or self._why_anew(stream)
            if why is not None:
                self.done.pop(place, None)
                yield StreamReset(stream, why)
            elif place in self.done:
                self.done[place] = {**self.done[place], **self.identities[place].to_state()}
        if not self.done:  # nothing needs the log so far
            self.position = self.slot.position()

    def _why_anew(self, stream: ConfiguredStream) -> str | None:
        known = self.done.get(_place(stream))
        if known is None:
            return None
        selected = LOG_COLUMNS.taken_from(stream).json_schema["properties"]
        return self.identities[_place(stream)].why_anew(known, selected)

    def snapshots(self) -> Iterator[StreamRows | LogState]:
        """The tables that were never read in full."""
        missing = [stream for stream in self.streams if _place(stream) not in self.done]
        if not missing:
            return
        with self.slot.snapshot() as snapshot:
            for stream in missing:
                place = _place(stream)
                rows = read_snapshot(
                    self.connection, self.settings, stream, self.tables[place], snapshot,
                    connections=self.connections,
                )  # fmt: skip
                for batch in rows:
                    yield StreamRows(stream, batch)
                self.done[place] = {"snapshot_lsn": snapshot[1], **self.identities[place].to_state()}
                yield self._state()
                self.slot.release(self.position)

    def catch_up(self, until: int) -> Iterator[StreamRows | StreamReset | LogState]:
        """The log up to a position, in rounds that are committed one by one."""
        while self.position < until:
            before = self.position
            yield from self._round(until)
            yield self._state()
            self.slot.release(self.position)
            if self.position == before:
                break
        yield self._state()  # how much log is kept and unread, now that this read has been handed back

    def tail(self, end: float) -> Iterator[StreamRows | StreamReset | LogState]:
        """The log as it grows, until the time is over."""
        states, told = 0, time.monotonic()
        while time.time() < end and states < _TAIL_STATES:
            until = self.slot.position()
            if until > self.position:
                found = 0
                for item in self._round(until):
                    found += 1
                    yield item
                if found or time.monotonic() - told > _IDLE_STATE_SECONDS:
                    yield self._state()
                    self.slot.release(self.position)
                    states, told = states + bool(found), time.monotonic()
            time.sleep(_POLL_SECONDS)

    def _round(self, until: int) -> Iterator[StreamRows | StreamReset | LogState]:
        since = {place: int(value["snapshot_lsn"]) for place, value in self.done.items()}
        self.position = yield from self.log.round(self.position, until, since)
        if self.log.superseded:
            for stream in self.streams:
                if _place(stream) in self.log.superseded:
                    del self.done[_place(stream)]
                    yield StreamReset(stream, "the log has updates or deletes without the primary key")
            self.log.superseded.clear()
            yield from self.snapshots()

    def _state(self) -> LogState:
        status = self.slot.status()
        shared = {"lsn": self.position, "system_id": self.slot.system_id(), "slot": self.slot.name}
        if status is not None:
            shared |= {"lag_bytes": status.lag_bytes, "kept_bytes": status.kept_bytes}
            shared |= {"wal_status": status.wal_status, "safe_wal_size": status.safe_wal_size}
        return LogState(shared, dict(self.done))
