"""Rounds over the log: whole transactions, decoded and sorted by table."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus

from lakehouse.embedded.airbyte.connectors.postgres.cdc import pgoutput
from lakehouse.embedded.airbyte.connectors.postgres.cdc.changes import TableChanges
from lakehouse.embedded.airbyte.connectors.postgres.cdc.slot import lsn_text
from lakehouse.embedded.airbyte.connectors.postgres.configuration import Cdc
from lakehouse.embedded.airbyte.connectors.postgres.tables import Table
from lakehouse.embedded.airbyte.connectors.streams import (
    ConfiguredStream,
    LogOptions,
    Place,
    StreamReset,
    StreamRows,
)
from lakehouse.embedded.airbyte.protocol import ConnectorError

ROUND_MESSAGES = 1_000_000  # a round decodes again what the server could not forget yet, so few are better
_BATCH_BYTES = 16 * 2**20
_PEEK = sql.SQL(
    "COPY (SELECT data FROM pg_logical_slot_peek_binary_changes({slot}, {until}::pg_lsn, {most},"
    " 'proto_version', '1', 'publication_names', {publication})) TO STDOUT (FORMAT binary)"
)
_HEADER = 19  # of COPY's binary format: signature, flags, length of the extension
_FIELD = 6  # number of fields, length of the only one
_COLUMNS = """
SELECT attname, atttypid FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""


class Log:
    """The log of some tables. Values that it does not repeat are read over a connection of their own."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        lookups: psycopg.Connection[Any],
        cdc: Cdc,
        options: LogOptions,
    ) -> None:
        self._connection = connection
        self._lookups = lookups
        self._cdc = cdc
        self._batch_rows = options.batch_rows
        self._tables: dict[int, Table] = {}
        self._changes: dict[int, TableChanges] = {}
        self._columns: dict[int, dict[str, int]] = {}
        self.superseded: set[Place] = set()
        """Streams whose log does not tell all that happened; the reader has them read anew."""

    def follow(self, streams: Sequence[ConfiguredStream], tables: Mapping[Place, Table]) -> None:
        """Names the tables to read, as they are now.

        The log has each by its oid, whatever its name was at the time.
        """
        self._tables = {table.oid: table for table in tables.values()}
        self._changes = {
            tables[place].oid: TableChanges(stream, tables[place])
            for stream in streams
            if (place := (stream.namespace, stream.name))
        }
        self._columns = {oid: self._current_columns(table) for oid, table in self._tables.items()}

    def round(
        self, position: int, until: int, since: Mapping[Place, int]
    ) -> Generator[StreamRows | StreamReset, None, int]:
        """Changes of whole transactions that committed from `position` on; returns where the log is then read to.

        Ends at `until`, or earlier after the transaction that makes ROUND_MESSAGES full. What a table's
        snapshot (`since`) holds already is passed over, and so is a table from the moment that it is `superseded`.
        """
        tables: dict[int, TableChanges | None] = {}
        commit, committed, end, seen = 0, "", position, 0
        for message in self._messages(until):
            seen += 1
            match message[0]:
                case pgoutput.INSERT | pgoutput.UPDATE | pgoutput.DELETE:
                    changes = tables[pgoutput.relation_oid(message)]
                    if commit < position or changes is None or commit < since[changes.place]:
                        continue
                    if changes.keyless and message[0] != pgoutput.INSERT:
                        self.superseded.add(changes.place)
                        tables[pgoutput.relation_oid(message)] = None
                        continue
                    changes.add(pgoutput.row_change(message), commit, committed, len(message))
                    if len(changes) >= self._batch_rows or changes.size >= _BATCH_BYTES:
                        yield from self._taken(changes)
                case pgoutput.BEGIN:
                    commit, moment = pgoutput.begin(message)
                    committed = moment.isoformat().replace("+00:00", "Z")
                case pgoutput.COMMIT:
                    end = pgoutput.commit_end(message)
                case pgoutput.RELATION:
                    relation = pgoutput.relation(message)
                    tables[relation.oid] = yield from self._described(relation)
                case pgoutput.TRUNCATE:
                    for oid in pgoutput.truncated(message):
                        changes = tables[oid]
                        if changes is not None and commit >= max(position, since[changes.place]):
                            yield from self._taken(changes)
                            yield StreamReset(changes.stream, "the table was truncated")
        for changes in self._changes.values():
            yield from self._taken(changes)
        return end if seen >= ROUND_MESSAGES else max(end, until)

    def _described(self, relation: pgoutput.Relation) -> Generator[StreamRows, None, TableChanges | None]:
        changes = self._changes.get(relation.oid)
        if changes is None or changes.place in self.superseded:
            return None
        yield from self._taken(changes)
        self._refuse_newer(relation)
        changes.describe(relation)
        return changes

    def _messages(self, until: int) -> Iterator[bytes]:
        query = _PEEK.format(
            slot=self._cdc.replication_slot,
            until=lsn_text(until),
            most=ROUND_MESSAGES,
            publication=sql.Literal(sql.Identifier(self._cdc.publication).as_string(self._connection)),
        )
        # Row by row from libpq itself: psycopg's own copy costs more for a row than decoding it does.
        server = self._connection.pgconn
        result = server.exec_(query.as_bytes(self._connection))
        if result.status != ExecStatus.COPY_OUT:
            raise psycopg.DatabaseError(result.error_message.decode(errors="replace"))
        start = _HEADER
        while True:
            size, data = server.get_copy_data(0)
            if size <= 0:
                break
            if len(data) > start + _FIELD:  # the last row is a mark without a field
                yield bytes(data[start + _FIELD :])
            start = 0
        while (outcome := server.get_result()) is not None:
            if outcome.status != ExecStatus.COMMAND_OK:
                raise psycopg.DatabaseError(outcome.error_message.decode(errors="replace"))

    def _taken(self, changes: TableChanges) -> Iterator[StreamRows]:
        if len(changes):
            yield StreamRows(changes.stream, changes.take(self._lookups))

    def _refuse_newer(self, relation: pgoutput.Relation) -> None:
        """A table that changed since the read began is read by another attempt, with its new columns.

        The log may also describe the table as it was before the read began: missing columns are NULL then.
        """
        at = relation.oid
        described = {column.name: column.type_oid for column in relation.columns}
        if described == self._columns[at] or self._current_columns(self._tables[at]) == self._columns[at]:
            return
        problem = f"table {relation.schema}.{relation.name} was altered while its log was read"
        raise ConnectorError(f"{problem}; the next attempt reads its new columns", kind="transient_error")

    def _current_columns(self, table: Table) -> dict[str, int]:
        name = table.identifier.as_string(self._lookups)
        return dict(self._lookups.execute(_COLUMNS, (name,)).fetchall())
