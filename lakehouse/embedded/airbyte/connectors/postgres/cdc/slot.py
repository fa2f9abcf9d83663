"""The replication slot: made, checked against the state, advanced; and snapshots that fit its log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import pq, sql

from lakehouse.embedded.airbyte.connectors.postgres.configuration import Cdc, PostgresConfiguration
from lakehouse.embedded.airbyte.connectors.postgres.tables import (
    configuration_of,
    connected,
    connection_string,
    last_line,
)
from lakehouse.embedded.airbyte.protocol import ConnectorError

_STATUS = """
SELECT plugin, database, active_pid, confirmed_flush_lsn - '0/0'::pg_lsn, wal_status,
       pg_current_wal_flush_lsn() - confirmed_flush_lsn, pg_current_wal_flush_lsn() - restart_lsn, safe_wal_size
FROM pg_replication_slots WHERE slot_name = %s
"""
# A slot begins once every transaction has ended that was open then.
_WAITED_FOR = """
SELECT pid, usename, state, extract(epoch FROM now() - xact_start)::int8
FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1
"""
WAIT_SECONDS = 120
_LOCK_NOT_AVAILABLE = b"55P03"
_FLUSHED = """
SELECT flushed - '0/0', (flushed - '0/0') % current_setting('wal_block_size')::int = 0
       AND pg_current_wal_insert_lsn() > flushed
FROM pg_current_wal_flush_lsn() AS flushed
"""
_ACTIVE_SECONDS = 30  # a killed worker's backend may take this long to notice


@dataclass(frozen=True)
class SlotStatus:
    """A row of pg_replication_slots; positions are bytes since the log began."""

    plugin: str | None
    database: str | None
    active_pid: int | None
    confirmed: int | None
    wal_status: str | None
    lag_bytes: int | None
    """Log that was not read yet."""
    kept_bytes: int | None
    """Log that the server keeps for the slot, because of transactions that are open as well."""
    safe_wal_size: int | None
    """How much more log may be written before the slot is lost; None without a limit."""


class Slot:
    """The slot of a source, over a connection that may write."""

    def __init__(
        self, connection: psycopg.Connection[Any], configuration: PostgresConfiguration, cdc: Cdc
    ) -> None:
        self._connection = connection
        self._configuration = configuration
        self._cdc = cdc
        self.name = cdc.replication_slot

    def status(self) -> SlotStatus | None:
        """The slot as it is, or None when there is none."""
        row = self._connection.execute(_STATUS, (self.name,)).fetchone()
        if row is None:
            return None
        plugin, database, active_pid, confirmed, wal_status, *sizes = row
        lag, kept, safe = (None if size is None else int(size) for size in sizes)
        position = None if confirmed is None else int(confirmed)
        return SlotStatus(plugin, database, active_pid, position, wal_status, lag, kept, safe)

    def position(self) -> int:
        """Where the log ends now: the end of a record.

        A server that is busy with transactions that have not committed flushes whole pages, in the middle of a
        record. A read up to there would wait for the rest, which an idle server writes up to 15 seconds later: a
        commit of our own, which holds nothing, has it written now.
        """
        flushed, cut = self._flushed()
        if cut:
            self._connection.execute("SELECT pg_logical_emit_message(true, 'lakehouse', '')")
            flushed, _ = self._flushed()
        return flushed

    def _flushed(self) -> tuple[int, bool]:
        ((position, cut),) = self._connection.execute(_FLUSHED).fetchall()
        return int(position), cut

    def system_id(self) -> str:
        """Tells this database cluster from one made anew under the same address."""
        query = "SELECT system_identifier::text FROM pg_control_system()"
        ((identifier,),) = self._connection.execute(query).fetchall()
        return str(identifier)

    def why_lost(self, shared: Mapping[str, Any]) -> str | None:
        """Why the log cannot be followed from the state on, or None when it can."""
        status = self.status()
        if shared.get("system_id") != self.system_id():
            return "the database is not the one that was read before"
        if status is None:
            return f"replication slot {self.name} is gone"
        if status.wal_status == "lost":
            return f"replication slot {self.name} is lost: the server removed log that was not read yet"
        if status.confirmed is not None and status.confirmed > int(shared["lsn"]):
            return f"replication slot {self.name} was advanced by someone else"
        return None

    def ensure(self, *, anew: bool) -> None:
        """Makes the slot, or takes over one that was made beforehand; its log begins now.

        With `anew` a slot that cannot be followed any more is dropped first.
        """
        status = self._idle_status()
        if status is not None and (anew or status.wal_status == "lost"):
            self.drop()
            status = None
        if status is not None:
            self.release(self.position())
            return
        try:
            with self._connection.transaction():
                self._connection.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'".encode())
                self._connection.execute(
                    "SELECT pg_create_logical_replication_slot(%s, %s)", (self.name, self._cdc.plugin)
                )
        except psycopg.errors.LockNotAvailable as error:
            raise self._waited(f"replication slot {self.name}") from error

    def _waited(self, what: str) -> ConnectorError:
        """What an open transaction has kept from being made."""
        oldest = self._connection.execute(_WAITED_FOR).fetchone()
        problem = f"{what} waits for the transactions that were open before it, for {WAIT_SECONDS} s now"
        if oldest is not None:
            pid, user, state, seconds = oldest
            problem += f"; the oldest is of server process {pid} of user {user}, {state}, {seconds} s old"
        return ConnectorError(f"{problem}; have it end, or sync again later", kind="transient_error")

    def drop(self) -> None:
        """Drops the slot, if there is one."""
        if self._idle_status() is not None:
            self._connection.execute("SELECT pg_drop_replication_slot(%s)", (self.name,))

    def release(self, position: int) -> None:
        """Lets the server forget the log before `position`."""
        status = self._idle_status()
        if status is not None and status.confirmed is not None and status.confirmed < position:
            self._connection.execute(
                "SELECT pg_replication_slot_advance(%s, %s::pg_lsn)", (self.name, lsn_text(position))
            )

    def _idle_status(self) -> SlotStatus | None:
        deadline = time.monotonic() + _ACTIVE_SECONDS
        while (status := self.status()) is not None:
            self._refuse_foreign(status)
            if status.active_pid is None:
                break
            if time.monotonic() > deadline:
                problem = f"replication slot {self.name} is in use by server process {status.active_pid}"
                raise ConnectorError(
                    f"{problem}; give every connection a slot of its own", kind="config_error"
                )
            time.sleep(0.2)
        return status

    def _refuse_foreign(self, status: SlotStatus) -> None:
        wanted = (self._cdc.plugin, self._configuration.database)
        if (status.plugin, status.database) != wanted:
            raise ConnectorError(
                f"replication slot {self.name} is of plugin {status.plugin} and database {status.database},"
                f" not {wanted[0]} and {wanted[1]}; name another slot",
                kind="config_error",
            )

    @contextmanager
    def snapshot(self) -> Iterator[tuple[str, int]]:
        """An exported snapshot and the log position that it stands for.

        It holds all that committed before the position and nothing else. It comes from a temporary slot,
        which only the replication protocol can make; both end with the context.
        """
        replication = f"{connection_string(self._configuration, writable=True)} replication=database"
        connection = pq.PGconn.connect(replication.encode())
        try:
            name = sql.Identifier(f"lakehouse_snapshot_{uuid4().hex[:12]}").as_string(self._connection)
            command = f"CREATE_REPLICATION_SLOT {name} TEMPORARY LOGICAL {self._cdc.plugin} EXPORT_SNAPSHOT"
            connection.exec_(f"SET lock_timeout = '{WAIT_SECONDS}s'".encode())
            result = connection.exec_(command.encode())
            if result.error_field(pq.DiagnosticField.SQLSTATE) == _LOCK_NOT_AVAILABLE:
                raise self._waited("a snapshot of the database")
            if result.status != pq.ExecStatus.TUPLES_OK:
                raise snapshot_refused(result.error_message.decode(errors="replace"))
            position, snapshot = (bytes(result.get_value(0, column) or b"").decode() for column in (1, 2))
            yield snapshot, lsn_number(position)
        finally:
            connection.finish()


def drop(configuration: Mapping[str, Any]) -> None:
    """Drops the slot of a source that is not read any more, if it has one; the publication costs nothing and stays.

    Raises ConnectorError where the server does not answer, or the slot is in use or of something else.
    """
    settings = configuration_of(configuration)
    if isinstance(settings.replication_method, Cdc):
        with connected(settings, writable=True) as connection:
            Slot(connection, settings, settings.replication_method).drop()


def snapshot_refused(message: str) -> ConnectorError:
    """A slot that the server would not make, with the remedy where it is known."""
    reason = last_line(message)
    remedy = ""
    if "all replication slots are in use" in message:
        remedy = "; raise max_replication_slots, or drop slots that nothing reads"
    elif "permission denied" in message or "REPLICATION" in message:
        remedy = "; run ALTER ROLE <user> REPLICATION"
    return ConnectorError(f"cannot make a snapshot of the database: {reason}{remedy}", kind="config_error")


def lsn_text(position: int) -> str:
    """
    >>> lsn_text(0x1_0000_00A8)
    '1/A8'
    """
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def lsn_number(text: str) -> int:
    """
    >>> hex(lsn_number("1/A8"))
    '0x1000000a8'
    """
    high, _, low = text.partition("/")
    return int(high, 16) << 32 | int(low, 16)
