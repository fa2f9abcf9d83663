"""Changes of one table, collected row by row and handed on column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.pq.abc import PGresult

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.coercion import Change
from lakehouse.embedded.airbyte.connectors.postgres.cdc.columns import DELETED_AT, LSN, UPDATED_AT
from lakehouse.embedded.airbyte.connectors.postgres.cdc.pgoutput import UNCHANGED, Relation, RowChange, Value
from lakehouse.embedded.airbyte.connectors.postgres.cdc.values import typed
from lakehouse.embedded.airbyte.connectors.postgres.source import SERIALIZATION_ERROR
from lakehouse.embedded.airbyte.connectors.postgres.tables import Table
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column

_NOT_RETRIEVED = "SOURCE_RETRIEVAL_ERROR"


@dataclass
class _Rows:
    """Rows as the log wrote them, and what it says about each."""

    values: list[list[Value]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    committed: list[str] = field(default_factory=list)
    deleted: list[str | None] = field(default_factory=list)
    partial: list[int] = field(default_factory=list)
    """Rows with a value that the log does not repeat."""
    size: int = 0


class TableChanges:
    """The changes of one stream, until they are taken as a batch."""

    def __init__(self, stream: ConfiguredStream, table: Table) -> None:
        self.stream = stream
        self.place = (stream.namespace, stream.name)
        self._table = table
        self._columns = stream.columns
        self._places: dict[str, int] = {}
        self._keys: tuple[int, ...] = ()
        self.keyless = False
        """Whether updates and deletes do not tell the primary key of the row that they change."""
        self._rows = _Rows()

    def describe(self, relation: Relation) -> None:
        """Rows from here on have these columns; those before must have been taken."""
        self._places = {column.name: place for place, column in enumerate(relation.columns)}
        missing = [name for name in self._table.primary_key if name not in self._places]
        if missing:
            raise ConnectorError(
                f"stream {self.stream.name}: the log no longer has primary key column {missing[0]};"
                " refresh the stream",
                kind="config_error",
            )
        self._keys = tuple(self._places[name] for name in self._table.primary_key)
        # Of a partitioned table the log describes the root, but the partitions' identities decide.
        self.keyless = not self._table.partitioned and not all(
            relation.columns[key].identifies for key in self._keys
        )

    def __len__(self) -> int:
        return len(self._rows.values)

    @property
    def size(self) -> int:
        """Bytes of log that the rows took."""
        return self._rows.size

    def add(self, change: RowChange, position: int, committed: str, size: int) -> None:
        """Takes a change of the transaction committed at `position`; a changed key is a delete and an insert."""
        new, old = change.new, change.old
        if new is None:
            self._add(old or [], position, committed, committed)
        else:
            if old is not None:
                if change.full and UNCHANGED in new:
                    new = [
                        before if after is UNCHANGED else after
                        for after, before in zip(new, old, strict=True)
                    ]
                if any(old[key] != new[key] for key in self._keys):
                    self._add(old, position, committed, committed)
            self._add(new, position, committed, None)
        self._rows.size += size

    def _add(self, values: list[Value], position: int, committed: str, deleted: str | None) -> None:
        rows = self._rows
        if UNCHANGED in values:
            rows.partial.append(len(rows.values))
        rows.values.append(values)
        rows.positions.append(position)
        rows.committed.append(committed)
        rows.deleted.append(deleted)

    def take(self, connection: psycopg.Connection[Any]) -> LandingBatch:
        """The rows so far; values that the log does not repeat are read from the table."""
        rows, self._rows = self._rows, _Rows()
        changes: dict[int, list[Change]] = {}
        if rows.partial:
            self._complete(connection, rows, changes)
        by_place = list(zip(*rows.values, strict=True))
        arrays = [self._array(column, by_place, rows, changes) for column in self._columns]
        batch = pa.RecordBatch.from_arrays(arrays, [column.name for column in self._columns])
        now = pa.repeat(pa.scalar(epoch_ms(), pa.int64()), len(rows.values))
        return LandingBatch(batch, now, changes, rows.size)

    def _array(
        self,
        column: Column,
        by_place: Sequence[Sequence[Any]],
        rows: _Rows,
        changes: dict[int, list[Change]],
    ) -> pa.Array:
        if column.source == LSN:
            return pa.array(rows.positions, pa.int64()).cast(column.type.arrow)
        if column.source == UPDATED_AT:
            return pa.array(rows.committed, pa.string())
        if column.source == DELETED_AT:
            return pa.array(rows.deleted, pa.string())
        place = self._places.get(column.source)
        if place is None:  # the row is older than the column
            return pa.nulls(len(rows.values), column.type.arrow)
        array, refused = typed(by_place[place], self._table.columns[column.source], column.type)
        for row in refused:
            changes.setdefault(row, []).append(Change(column.source, reason=SERIALIZATION_ERROR))
        return array

    def _complete(
        self, connection: psycopg.Connection[Any], rows: _Rows, changes: dict[int, list[Change]]
    ) -> None:
        """Fills in what the log does not repeat; a row that is gone by now is followed by its delete."""
        names = {place: name for name, place in self._places.items()}
        wanted = sorted({p for row in rows.partial for p, v in enumerate(rows.values[row]) if v is UNCHANGED})
        known = {names[place] for place in wanted} & {column.source for column in self._columns}
        wanted = [place for place in wanted if names[place] in known and names[place] in self._table.columns]
        keys = {tuple(rows.values[row][key] for key in self._keys) for row in rows.partial}
        found = self._current(connection, [names[place] for place in wanted], keys) if wanted else {}
        for row in rows.partial:
            values = rows.values[row]
            current = found.get(tuple(values[key] for key in self._keys))
            for place, value in enumerate(values):
                if value is UNCHANGED:
                    values[place] = None
                    if place in wanted and current is not None:
                        values[place] = current[wanted.index(place)]
                    elif place in wanted:
                        change = Change(names[place], reason=_NOT_RETRIEVED)
                        changes.setdefault(row, []).append(change)

    def _current(
        self, connection: psycopg.Connection[Any], names: Sequence[str], keys: set[tuple[Value, ...]]
    ) -> dict[tuple[Value, ...], list[bytes | None]]:
        """The columns' text of the rows with these keys, as the table has it now."""
        key_names = self._table.primary_key
        typed_keys = [
            sql.SQL("unnest(%s::text[]::{}[])").format(sql.SQL(self._table.columns[name].declared_type))
            for name in key_names
        ]
        query = sql.SQL("SELECT {} FROM {} WHERE ({}) IN (SELECT {})").format(
            sql.SQL(", ").join(map(sql.Identifier, [*key_names, *names])),
            self._table.identifier,
            sql.SQL(", ").join(map(sql.Identifier, key_names)),
            sql.SQL(", ").join(typed_keys),
        )
        texts = [
            [value.decode() if isinstance(value, bytes) else None for value in column]
            for column in zip(*keys, strict=True)
        ]
        with connection.cursor() as cursor:
            cursor.execute(query, texts)
            rows = _texts(cursor.pgresult)
        count = len(key_names)
        return {tuple(row[:count]): row[count:] for row in rows}


def _texts(result: PGresult | None) -> list[list[bytes | None]]:
    """The values of a result as the database wrote them."""
    if result is None:
        return []
    columns = range(result.nfields)
    return [[result.get_value(row, column) for column in columns] for row in range(result.ntuples)]
