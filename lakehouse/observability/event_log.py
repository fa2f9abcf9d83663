"""Dagster's SQLite event log, writing a batch of events as one transaction.

A run over a range of days has two events a day and asset, a planned one and a materialization. Dagster hands
them over in batches, and its PostgreSQL storage writes them as such; its SQLite storage opens a new engine
several times for each event. Measured for 365 days of four assets: 45 s event by event, 2.4 s in batches.

It also opens and closes the file for every event, which makes SQLite wait for the disk up to four times; here a
connection stays open, and no commit waits for the disk. A process that is killed loses nothing by that. A machine
that loses its power may lose the newest events, never the file; what they told of is then stale, and made again.

`dagster.yaml`:

    event_log_storage:
      module: lakehouse.observability.event_log
      class: BatchingSqliteEventLogStorage
      config: {base_dir: <DAGSTER_HOME>/history/runs}
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakSet

from dagster import DagsterEventType, EventLogEntry

# Storages are meant to be replaced (dagster.yaml names them by module and class), yet have no public path.
from dagster._core.instance import RUNLESS_RUN_ID
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.event import listen

BATCHED = frozenset({DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_MATERIALIZATION_PLANNED})
BATCH_SIZE = 1000
FILES_KEPT_OPEN = 8
"""Each the shard of one run, or what is kept of all of them."""

_OPEN: WeakSet[BatchingSqliteEventLogStorage] = WeakSet()


class BatchingSqliteEventLogStorage(SqliteEventLogStorage):
    """The same files and tables as SqliteEventLogStorage: either class can open what the other wrote."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}
        _OPEN.add(self)
        super().__init__(base_dir, inst_data)
        # Without it Dagster hands over no batches at all.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> BatchingSqliteEventLogStorage:
        """How Dagster makes the class that dagster.yaml names; the inherited one makes its own class."""
        return cls(config_value["base_dir"], inst_data)

    @contextmanager
    def run_connection(self, run_id: str | None = None) -> Iterator[Connection]:
        """A transaction on the shard of a run, which the inherited method makes where there is none."""
        shard = run_id or RUNLESS_RUN_ID
        known = shard in self._initialized_dbs
        with self._transaction(shard) if known else super().run_connection(shard) as connection:
            yield connection

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        """A transaction on what is kept of all runs."""
        known = INDEX_SHARD_NAME in self._initialized_dbs
        with self._transaction(INDEX_SHARD_NAME) if known else super().index_connection() as connection:
            yield connection

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            while len(self._engines) >= FILES_KEPT_OPEN:
                self._engines.pop(next(iter(self._engines))).dispose()
            timeout = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            engine = create_engine(self.conn_string_for_shard(shard), pool_size=1, connect_args=timeout)
            listen(engine, "connect", _without_waiting_for_the_disk)
            self._engines[shard] = engine
        return self._engines[shard]

    def close_files(self) -> None:
        """Close what is kept open; the next use opens it again."""
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()

    def store_event(self, event: EventLogEntry) -> None:
        """As inherited."""
        super().store_event(event)
        self._tell_watchers(event.run_id)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run: those of assets together, first in the run's shard, then in the index."""
        batch = [event for event in events if event.dagster_event_type in BATCHED]
        for event in events:
            if event.dagster_event_type not in BATCHED:
                self.store_event(event)
        if batch:
            self._store_asset_events(batch)

    def _store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        statements = [self.prepare_insert_event(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            for statement in statements:
                connection.execute(statement)
        self._tell_watchers(events[0].run_id)
        with self.index_transaction() as connection:
            keys: list[Any] = [connection.execute(statement).inserted_primary_key for statement in statements]
            ids = [int(key[0]) for key in keys]
            self._store_asset_event_tags(connection, events, ids)
            newest = {
                event.get_dagster_event().asset_key: (event, storage_id)
                for event, storage_id in zip(events, ids, strict=True)
            }
            for event, storage_id in newest.values():
                self._store_asset_event(connection, event, storage_id)

    def _tell_watchers(self, run_id: str) -> None:
        """The UI follows a run by changes of its file, which those beside it (`-wal`) do not show."""
        os.utime(self.path_for_shard(run_id))

    def delete_events(self, run_id: str) -> None:
        """Those of one run, and the file of its shard, which the inherited method leaves behind empty."""
        super().delete_events(run_id)
        self._initialized_dbs.discard(run_id)
        with self._db_lock:
            if engine := self._engines.pop(run_id, None):
                engine.dispose()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path_for_shard(run_id)}{suffix}").unlink(missing_ok=True)

    def delete_events_of_no_run(self, storage_ids: Sequence[int], before: float) -> None:
        """Delete these asset events, told by no run, and all such of before that time stamp from their shard.

        The shard of no run is read for nothing but other kinds of events; its storage ids are its own.
        """
        for at in range(0, len(storage_ids), BATCH_SIZE):
            some = storage_ids[at : at + BATCH_SIZE]
            with self.index_connection() as connection:
                tags = AssetEventTagsTable.c.event_id.in_(some)
                connection.execute(AssetEventTagsTable.delete().where(tags))
                connection.execute(
                    SqlEventLogStorageTable.delete().where(
                        SqlEventLogStorageTable.c.id.in_(some),
                        SqlEventLogStorageTable.c.run_id == RUNLESS_RUN_ID,
                    )
                )
        old = SqlEventLogStorageTable.c.timestamp < datetime.fromtimestamp(before, UTC).replace(tzinfo=None)
        kinds = [kind.value for kind in BATCHED]
        with self.run_connection(RUNLESS_RUN_ID) as connection:
            of_assets = SqlEventLogStorageTable.c.dagster_event_type.in_(kinds)
            connection.execute(SqlEventLogStorageTable.delete().where(of_assets, old))


def _without_waiting_for_the_disk(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


def _close_all() -> None:
    for storage in list(_OPEN):
        storage.close_files()


# A file of SQLite that is open in two processes after a fork is locked by neither, and can be destroyed.
os.register_at_fork(before=_close_all)
