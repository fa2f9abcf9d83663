"""source-mysql, method CDC: a snapshot of the tables that have none, then the log from where the state stands.

The log stays on the server for as long as it is configured to: nothing is released, a kill repeats what was not
committed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakehouse.embedded.airbyte.connectors.mysql.cdc.columns import LOG_COLUMNS
from lakehouse.embedded.airbyte.connectors.mysql.cdc.log import Log
from lakehouse.embedded.airbyte.connectors.mysql.cdc.position import LogPosition
from lakehouse.embedded.airbyte.connectors.mysql.cdc.server import LogServer
from lakehouse.embedded.airbyte.connectors.mysql.cdc.snapshot import consistent_snapshot, read_snapshot
from lakehouse.embedded.airbyte.connectors.mysql.configuration import (
    Cdc,
    MysqlConfiguration,
    configuration_of,
)
from lakehouse.embedded.airbyte.connectors.mysql.sessions import Session, connected
from lakehouse.embedded.airbyte.connectors.mysql.tables import Table, table_for
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
_IDLE_STATE_SECONDS = 10  # how old a state may be while the log holds nothing of ours
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
    with connected(settings) as session:
        server = LogServer(session, settings)
        server.check()
        tables = {_place(stream): _logged_table(session, settings, stream) for stream in streams}
        log = Log(
            session=session,
            configuration=settings,
            server=server,
            streams=streams,
            tables=tables,
            options=options,
        )
        reading = _Reading(settings, server, log, streams, tables)
        yield from reading.begin(state, cdc)
        yield from reading.snapshot()
        if options.tail_until is None:
            yield from reading.catch_up(server.position())
        else:
            yield from reading.tail(options.tail_until)


def _place(stream: ConfiguredStream) -> Place:
    return stream.namespace, stream.name


def _logged_table(session: Session, settings: MysqlConfiguration, stream: ConfiguredStream) -> Table:
    LOG_COLUMNS.require(stream)
    plain = LOG_COLUMNS.taken_from(stream)
    table = table_for(session, settings, plain)
    if not table.logged or not table.primary_key:
        lacks = "primary key" if table.logged else "log of its own"
        problem = f"stream {stream.name} has no {lacks}: it can only be read in full"
        raise ConnectorError(f"{problem}; set its syncMode to a full refresh", kind="config_error")
    for name in [*table.primary_key, *plain.json_schema["properties"]]:
        if not table.columns[name].can_be_logged:
            problem = f"stream {stream.name}: column {name} of type {table.columns[name].declared_type}"
            raise ConnectorError(
                f"{problem} cannot be read from the binary log; deselect the stream, or read with STANDARD",
                kind="config_error",
            )
    return table


@dataclass
class _Reading:
    settings: MysqlConfiguration
    server: LogServer
    log: Log
    streams: Sequence[ConfiguredStream]
    tables: Mapping[Place, Table]
    position: LogPosition = field(default_factory=lambda: LogPosition("", 0))
    """All that committed before is handed back."""
    gtid: str | None = None
    _done: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    _whole_from: int = 0
    """The cursor from which on all tables are of one moment: snapshots may be ahead of the log."""

    def begin(self, state: LogState | None, cdc: Cdc) -> Iterator[StreamReset]:
        """Finds the position to go on from; where the log cannot be followed on, everything starts again."""
        if state is None:
            return
        lost = self.server.why_lost(state.shared)
        if lost is None:
            self.position = LogPosition.from_state(state.shared)
            self.gtid = state.shared.get("gtid")
            places = {_place(stream) for stream in self.streams}
            self._done = {place: value for place, value in state.streams.items() if place in places}
            self._whole_from = max(
                (int(value["snapshot_cursor"]) for value in self._done.values()), default=0
            )
            return
        if cdc.invalid_cdc_cursor_position_behavior == "Fail sync":
            raise ConnectorError(
                f"the log cannot be followed from the last sync on: {lost}; refresh the connection, or set"
                ' invalid_cdc_cursor_position_behavior to "Re-sync data"',
                kind="config_error",
            )
        for stream in self.streams:
            yield StreamReset(stream)

    def snapshot(self) -> Iterator[StreamRows | LogState]:
        """The tables that were never read in full, all of them as of one moment."""
        missing = [stream for stream in self.streams if _place(stream) not in self._done]
        if not missing:
            return
        with consistent_snapshot(self.settings) as (session, position):
            for stream in missing:
                for batch in read_snapshot(session, position, stream, self.tables[_place(stream)]):
                    yield StreamRows(stream, batch)
        if len(missing) == len(self.streams):
            self.position, self.gtid = position, self.server.gtid(position)
        self._done |= {_place(stream): {"snapshot_cursor": position.cursor} for stream in missing}
        self._whole_from = position.cursor
        yield from self._state()

    def catch_up(self, until: LogPosition) -> Iterator[StreamRows | StreamReset | LogState]:
        """The log up to a position, in rounds that are committed one by one."""
        while self.position.cursor < max(until.cursor, self._whole_from):
            if until.cursor < self._whole_from:
                until = self.server.position()
            yield from self._round(until)
            yield from self._state()

    def tail(self, end: float) -> Iterator[StreamRows | StreamReset | LogState]:
        """The log as it grows, until the time is over."""
        states, waiting, told = 0, False, time.monotonic()
        while time.time() < end and states < _TAIL_STATES:
            until = self.server.position()
            if until != self.position:
                for item in self._round(until):
                    waiting = True
                    yield item
                if waiting or time.monotonic() - told > _IDLE_STATE_SECONDS:
                    for state in self._state():
                        yield state
                        states, waiting, told = states + waiting, False, time.monotonic()
            time.sleep(_POLL_SECONDS)
        yield from self.catch_up(self.position)

    def _round(self, until: LogPosition) -> Iterator[StreamRows | StreamReset | LogState]:
        since = {place: int(value["snapshot_cursor"]) for place, value in self._done.items()}
        self.position, self.gtid = yield from self.log.round(self.position, self.gtid, until, since)
        if self.log.superseded:
            for stream in self.streams:
                if _place(stream) in self.log.superseded:
                    del self._done[_place(stream)]
                    yield StreamReset(stream)
            self.log.superseded.clear()
            yield from self.snapshot()

    def _state(self) -> Iterator[LogState]:
        """The state, unless a snapshot is ahead of the log: that would split the transactions between."""
        if self.position.cursor >= self._whole_from:
            shared = self.position.to_state() | self.server.identity()
            shared["lag_bytes"] = self.server.unread(self.position)
            if self.gtid is not None:
                shared["gtid"] = self.gtid
            yield LogState(shared, dict(self._done))
