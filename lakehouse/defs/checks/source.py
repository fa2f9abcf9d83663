"""Where a table's source stands, asked of the source itself: its log, how much of it is merged, its rows.

Only of Postgres that is read by its log, the one source whose positions can be compared with what is landed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.automation.history import History
from lakehouse.defs.checks.look import Dataset, Look
from lakehouse.defs.ingestion.component import stream_keys
from lakehouse.defs.ingestion.declaration import Connection, Declaration, declarations
from lakehouse.defs.ingestion.log_kept import reads_log
from lakehouse.defs.ingestion.references import resolve
from lakehouse.defs.ingestion.told import JOB_STARTED
from lakehouse.errors import TransientError
from lakehouse.settings import Settings, environment

if TYPE_CHECKING:
    import psycopg

_POSITION = """
SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn,
    (SELECT confirmed_flush_lsn - '0/0'::pg_lsn FROM pg_replication_slots WHERE slot_name = %s)
"""
_LOG_LSN = "airbyte/log_lsn"


_LOG_LSN = "airbyte/log_lsn"


@dataclass(frozen=True)
class Position:
    """A moment of a source's log; positions are bytes since its beginning, times are seconds since 1970."""

    at: float
    written: int
    """The end of the log."""
    landed: int
    """Everything before it is landed; 0 when nobody knows."""
    landed_at: float
    """Everything that was committed by then is landed; 0 when nobody knows."""


def declared_source(dataset: Dataset) -> Declaration | None:
    """The connection of a table whose source can be asked; None for every other dataset."""
    if not isinstance(dataset, BronzeTable):
        return None
    for declared in declarations().values():
        if declared.connection.name == dataset.connection:
            return declared if reads_log(declared.source) else None
    return None


def position(table: BronzeTable, look: Look) -> Position:
    """Where the log is, and how much of it is landed: once a connection and look.

    Raises:
        ConfigurationError: a reference of the declaration cannot be resolved.
        TransientError: the database does not answer, or refuses.
    """
    declared = _declared(table)

    def ask() -> Position:
        with _asked(declared, look.settings) as database:
            return _position(declared, look.instance, database)

    return look.once(f"position of {table.connection}", ask)


def count(table: BronzeTable, look: Look) -> tuple[int, Position]:
    """Rows of the table in its source, and a position of the log after which none of them was written.

    Raises as `position` does.
    """
    from psycopg import sql

    declared = _declared(table)
    schema = (declared.source.configuration.get("schemas") or ["public"])[0]
    statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table.stream))
    with _asked(declared, look.settings) as database:
        row = database.execute(statement).fetchone()
        return int(row[0]) if row else 0, _position(declared, look.instance, database)


def nothing_pending(table: BronzeTable, look: Look) -> bool:
    """Whether the table holds all that is landed. Raises as `pending_merge` does."""
    from lakehouse.defs.bronze.pending import pending_merge

    return pending_merge(table, look.settings, look.catalog, History(look.instance)) is None


def asked_table(dataset: Dataset) -> BronzeTable:
    """The dataset as a table whose source can be asked. Raises TypeError for any other."""
    if not isinstance(dataset, BronzeTable):
        raise TypeError(f"{dataset.relation} has no source that can be asked")
    return dataset


def _declared(table: BronzeTable) -> Declaration:
    declared = declared_source(table)
    if declared is None:
        raise ValueError(f"{table.relation} has no source that can be asked")
    return declared


def _position(
    declared: Declaration, instance: dg.DagsterInstance, database: psycopg.Connection[Any]
) -> Position:
    slot = declared.source.configuration["replication_method"]["replication_slot"]
    at = time.time()
    written, confirmed = database.execute(_POSITION, (slot,)).fetchone() or (0, None)
    told, landed_at = _told(declared.connection, instance)
    return Position(at, int(written), max(int(confirmed or 0), told), landed_at)


def _told(connection: Connection, instance: dg.DagsterInstance) -> tuple[int, float]:
    """How far the log was read by the newest job that an event tells of, and when that job began; 0 without one.

    A real Airbyte's events do not say how far: there the slot alone does.
    """
    keys = list(stream_keys(connection).values())
    newest = (record.asset_entry.last_materialization for record in instance.get_asset_records(keys))
    told = [(0, 0.0)]
    for event in newest:
        metadata = event.asset_materialization.metadata if event and event.asset_materialization else {}
        if _LOG_LSN in metadata and JOB_STARTED in metadata:
            told.append((int(str(metadata[_LOG_LSN].value)), float(str(metadata[JOB_STARTED].value))))
    return max(told)


@contextmanager
def _asked(declared: Declaration, settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    import psycopg

    from lakehouse.defs.ingestion.log_kept import connected

    where = f"connection {declared.connection.name}: source.configuration"
    given = resolve(declared.source.configuration, environment(settings), where=where)
    try:
        with connected(given) as database:
            yield database
    except psycopg.Error as error:
        problem = f"nobody can tell where the source stands: {' '.join(str(error).split())}"
        raise TransientError(problem, where=where) from None
