"""Rounds over the log: whole transactions, decoded and sorted by table."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from pymysqlreplication.row_event import TableMapEvent

from lakehouse.embedded.airbyte.connectors.mysql.cdc.cascades import Cascades
from lakehouse.embedded.airbyte.connectors.mysql.cdc.changes import TableChanges
from lakehouse.embedded.airbyte.connectors.mysql.cdc.events import BinaryLog, Commit, Logged, Statement
from lakehouse.embedded.airbyte.connectors.mysql.cdc.position import LogPosition
from lakehouse.embedded.airbyte.connectors.mysql.cdc.server import LogServer
from lakehouse.embedded.airbyte.connectors.mysql.cdc.statements import Effect, effects_of
from lakehouse.embedded.airbyte.connectors.mysql.configuration import MysqlConfiguration
from lakehouse.embedded.airbyte.connectors.mysql.sessions import Session
from lakehouse.embedded.airbyte.connectors.mysql.tables import Table, tables_of
from lakehouse.embedded.airbyte.connectors.streams import (
    ConfiguredStream,
    LogOptions,
    Place,
    StreamReset,
    StreamRows,
)
from lakehouse.embedded.airbyte.protocol import ConnectorError

ROUND_ROWS = 200_000
_BATCH_BYTES = 16 * 2**20


class Log:
    """The log of some tables."""

    def __init__(
        self,
        *,
        session: Session,
        configuration: MysqlConfiguration,
        server: LogServer,
        streams: Sequence[ConfiguredStream],
        tables: Mapping[Place, Table],
        options: LogOptions,
    ) -> None:
        self._session = session
        self._configuration = configuration
        self._batch_rows = options.batch_rows
        self._changes: dict[str, TableChanges] = {}
        for stream in streams:
            table = tables[stream.namespace, stream.name]
            self._changes[table.name] = TableChanges(stream, table)
        self._cascades = Cascades(session, configuration.database, self._changes)
        followed = sorted(self._cascades.parents | self._changes.keys())
        self._log = BinaryLog(configuration, server, followed)
        self.superseded: set[Place] = set()
        """Tables whose rows the log no longer tells: they are to be read anew."""

    def round(
        self, position: LogPosition, gtid: str | None, until: LogPosition, since: Mapping[Place, int]
    ) -> Generator[StreamRows | StreamReset, None, tuple[LogPosition, str | None]]:
        """Changes of whole transactions from `position` on; returns where the log is then read to.

        Ends at `until`, or earlier after the transaction that makes ROUND_ROWS full or the statement that
        supersedes a table. What a table's snapshot (`since`) holds already is passed over.
        """
        rows = 0
        for item in self._log.read(position, gtid):
            match item:
                case Logged(event, begins, images):
                    for name in self._cascades.changed_by(event, images):
                        self._supersede(self._changes[name], begins, since)
                    changes = self._changes.get(event.table)
                    if changes is None or changes.place in self.superseded:
                        continue
                    if isinstance(event, TableMapEvent):
                        yield from self._describe(event, changes)
                    elif begins.cursor >= since[changes.place]:
                        changes.add(event, begins, images)
                        if len(changes) >= self._batch_rows or changes.size >= _BATCH_BYTES:
                            rows += len(changes)
                            yield from self._taken(changes)
                case Statement():
                    yield from self._obey(item, since)
                case Commit():
                    position, gtid = item.position, item.gtid
                    if rows >= ROUND_ROWS or self.superseded or position.cursor >= until.cursor:
                        break
        else:
            position = max(position, until, key=lambda place: place.cursor)
        for changes in self._changes.values():
            yield from self._taken(changes)
        return position, gtid

    def _taken(self, changes: TableChanges) -> Iterator[StreamRows]:
        if len(changes):
            yield StreamRows(changes.stream, changes.take())

    def _describe(self, event: Any, changes: TableChanges) -> Iterator[StreamRows]:
        if any(column.name is None for column in event.columns):
            problem = f"rows of table {event.schema}.{event.table} were logged without column names"
            remedy = "binlog_row_metadata must be FULL; refresh the connection to read its tables anew"
            raise ConnectorError(f"{problem}; {remedy}", kind="config_error")
        if not changes.is_described_by(event.columns):
            yield from self._taken(changes)
            self._refuse_newer(changes.table, {column.name for column in event.columns})
            changes.describe(event.columns)

    def _refuse_newer(self, table: Table, logged: set[str]) -> None:
        """A table that changed since the read began is read by another attempt, with its new columns.

        The log may also describe the table as it was before the read began: missing columns are NULL then.
        """
        if logged == set(table.columns):
            return
        current = tables_of(self._session, self._configuration).get(table.name)
        if current is not None and current.columns != table.columns:
            problem = f"table {table.database}.{table.name} was altered while its log was read"
            raise ConnectorError(f"{problem}; the next attempt reads its new columns", kind="transient_error")

    def _obey(self, statement: Statement, since: Mapping[Place, int]) -> Iterator[StreamRows | StreamReset]:
        for effect in effects_of(statement.text, statement.database):
            if effect.database != self._configuration.database:
                continue
            for name, changes in self._changes.items():
                if effect.table not in (None, name) or statement.position.cursor < since[changes.place]:
                    continue
                if effect.effect is Effect.WRITTEN:
                    problem = f"after {statement.position} rows of database {effect.database} are logged as"
                    remedy = "set binlog_format to ROW in every session and refresh the connection"
                    raise ConnectorError(f"{problem} a statement; {remedy}", kind="config_error")
                yield from self._taken(changes)
                if effect.effect is Effect.EMPTIED:
                    yield StreamReset(changes.stream)
                else:
                    self._supersede(changes, statement.position, since)

    def _supersede(self, changes: TableChanges, position: LogPosition, since: Mapping[Place, int]) -> None:
        if position.cursor >= since[changes.place]:
            self.superseded.add(changes.place)
