"""Changes of one table, collected row by row and handed on column by column."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import pyarrow as pa
from pymysqlreplication.column import Column as LogColumn
from pymysqlreplication.constants import FIELD_TYPE
from pymysqlreplication.row_event import DeleteRowsEvent, PartialUpdateRowsEvent, UpdateRowsEvent

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.coercion import Change
from lakehouse.embedded.airbyte.connectors.mysql.cdc.columns import (
    CURSOR,
    DELETED_AT,
    LOG_FILE,
    LOG_POS,
    UPDATED_AT,
)
from lakehouse.embedded.airbyte.connectors.mysql.cdc.position import LogPosition
from lakehouse.embedded.airbyte.connectors.mysql.cdc.row_images import RowImages
from lakehouse.embedded.airbyte.connectors.mysql.cdc.values import same_family, typed
from lakehouse.embedded.airbyte.connectors.mysql.tables import Table
from lakehouse.embedded.airbyte.connectors.mysql.values import SERIALIZATION_ERROR
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import Column

_LABEL = re.compile(r"'((?:[^']|'')*)'")
_SECOND_US = 1_000_000


@dataclass
class _Rows:
    """Rows as their images hold them, and what the log says about each."""

    values: list[list[Any]] = field(default_factory=list)
    positions: list[LogPosition] = field(default_factory=list)
    cursors: list[int] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    deleted: list[int | None] = field(default_factory=list)
    size: int = 0


class TableChanges:
    """The changes of one stream, until they are taken as a batch."""

    def __init__(self, stream: ConfiguredStream, table: Table) -> None:
        self.stream = stream
        self.place = (stream.namespace, stream.name)
        self.table = table
        self._columns = stream.columns
        self._logged: dict[str, LogColumn] = {}
        self._places: dict[str, int] = {}
        self._key: Callable[[list[Any]], Any] = list
        self._images = RowImages(())
        self._signature: object = None
        self._rows = _Rows()

    def __len__(self) -> int:
        return len(self._rows.values)

    @property
    def size(self) -> int:
        """Bytes of log that the rows took."""
        return self._rows.size

    def is_described_by(self, columns: Sequence[LogColumn]) -> bool:
        """Whether rows logged with these columns can join those that wait."""
        return self._signature == _signature(columns)

    def describe(self, columns: Sequence[LogColumn]) -> None:
        """Rows from here on have these columns; those before must have been taken.

        Raises ConnectorError when they cannot become rows of the stream.
        """
        self._signature = _signature(columns)
        self._logged = {column.name: column for column in columns}
        for name in self.table.primary_key:
            if name not in self._logged:
                raise self._refused(f"the log has no column {name}, which is of the primary key")
        for name in (column.source for column in self._columns):
            column, logged = self.table.columns.get(name), self._logged.get(name)
            if column is not None and logged is not None:
                if not same_family(column, logged):
                    raise self._refused(f"column {name} had another type when the rows were logged")
                if logged.type in (FIELD_TYPE.ENUM, FIELD_TYPE.SET):
                    self._name_labels(logged, column.declared_type)
        self._places = {column.name: place for place, column in enumerate(columns)}
        self._key = itemgetter(*(self._places[name] for name in self.table.primary_key))
        try:
            self._images = RowImages(columns)
        except KeyError as error:
            raise self._refused(f"rows were logged with a column of type {error}, unknown here") from error

    def _name_labels(self, logged: LogColumn, declared: str) -> None:
        """The library reads labels as UTF-8 and takes empty text for those that are in another character set."""
        is_set = logged.type == FIELD_TYPE.SET
        known = logged.set_values if is_set else logged.enum_values[1:]
        if "" in known:
            labels = [label.replace("''", "'") for label in _LABEL.findall(declared)]
            if [k for k, label in zip(known, labels, strict=False) if k not in ("", label)] or len(
                labels
            ) != len(known):
                raise self._refused(f"column {logged.name} had other values when the rows were logged")
            if is_set:
                logged.set_values = labels
            else:
                logged.enum_values = ["", *labels]

    def _refused(self, problem: str) -> ConnectorError:
        where = f"stream {self.stream.name}: the log cannot be followed"
        return ConnectorError(f"{where}: {problem}; refresh the stream", kind="config_error")

    def add(self, event: Any, begins: LogPosition, images: bytes) -> None:
        """Takes the rows of an event; a changed key is a delete and an insert.

        Rows of one event are ordered by cursors of their own: each takes more than one byte of the log.
        """
        self._refuse_partial(event)
        rows, before = self._rows, len(self._rows.values)
        try:
            self._add(event, images)
        except (ValueError, struct.error) as error:
            raise self._refused(f"the event at {begins} is not valid: {error}") from error
        added = len(rows.values) - before
        rows.positions += [begins] * added
        rows.cursors += range(begins.cursor, begins.cursor + added)
        rows.committed += [event.timestamp * _SECOND_US] * added
        rows.size += event.packet.event_size

    def _add(self, event: Any, data: bytes) -> None:
        images, rows, key = self._images.read(data), self._rows, self._key
        now = event.timestamp * _SECOND_US
        if isinstance(event, UpdateRowsEvent):
            for old, new in zip(images, images, strict=True):
                if key(old) != key(new):
                    rows.values.append(old)
                    rows.deleted.append(now)
                rows.values.append(new)
                rows.deleted.append(None)
        else:
            found = list(images)
            rows.values += found
            rows.deleted += [now if isinstance(event, DeleteRowsEvent) else None] * len(found)

    def _refuse_partial(self, event: Any) -> None:
        bitmaps = [event.columns_present_bitmap]
        if isinstance(event, UpdateRowsEvent):
            bitmaps.append(event.columns_present_bitmap2)
        whole = all(int.from_bytes(b, "little").bit_count() >= event.number_of_columns for b in bitmaps)
        if isinstance(event, PartialUpdateRowsEvent) or not whole:
            raise self._refused("rows were logged in part; binlog_row_image must be FULL in every session")

    def take(self) -> LandingBatch:
        """The rows so far."""
        rows, self._rows = self._rows, _Rows()
        changes: dict[int, list[Change]] = {}
        arrays = [self._array(column, rows, changes) for column in self._columns]
        batch = pa.RecordBatch.from_arrays(arrays, [column.name for column in self._columns])
        now = pa.repeat(pa.scalar(epoch_ms(), pa.int64()), len(rows.values))
        return LandingBatch(batch, now, changes, rows.size)

    def _array(self, column: Column, rows: _Rows, changes: dict[int, list[Change]]) -> pa.Array:
        target = column.type.arrow
        match column.source:
            case name if name == CURSOR:
                return pa.array(rows.cursors, target)
            case name if name == LOG_FILE:
                return pa.array([position.file for position in rows.positions], target)
            case name if name == LOG_POS:
                return pa.array([float(position.offset) for position in rows.positions], target)
            case name if name == UPDATED_AT:
                return pa.array(rows.committed, target)
            case name if name == DELETED_AT:
                return pa.array(rows.deleted, target)
        logged = self._logged.get(column.source)
        if logged is None:  # the rows are older than the column
            return pa.nulls(len(rows.values), target)
        place = self._places[column.source]
        try:
            values = self._images.values(place, [row[place] for row in rows.values])
        except (ValueError, IndexError) as error:
            first = rows.positions[0]
            problem = f"a value of column {column.source} is not valid after {first}: {error}"
            raise self._refused(problem) from error
        array, refused = typed(values, self.table.columns[column.source], logged, column.type)
        for row in refused:
            changes.setdefault(row, []).append(Change(column.source, reason=SERIALIZATION_ERROR))
        return array


def _signature(columns: Sequence[LogColumn]) -> object:
    return [
        (column.name, column.type, getattr(column, "max_length", None), column.enum_values, column.set_values)
        for column in columns
    ]
