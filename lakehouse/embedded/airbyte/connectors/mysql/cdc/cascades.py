"""Foreign keys with actions: the storage engine changes the rows of other tables, and the log does not tell which.

Source: "FOREIGN KEY Constraints" of the MySQL manual: cascaded changes are not written to the binary log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pymysqlreplication.row_event import DeleteRowsEvent, TableMapEvent, UpdateRowsEvent

from lakehouse.embedded.airbyte.connectors.mysql.cdc.row_images import RowImages
from lakehouse.embedded.airbyte.connectors.mysql.sessions import Session, quoted, rows_of
from lakehouse.embedded.airbyte.protocol import ConnectorError

_KEYS = """
SELECT table_name, constraint_name, referenced_table_schema, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE table_schema = %s AND referenced_table_name IS NOT NULL
"""
_CONSTRAINT = re.compile(r"^\s*CONSTRAINT `((?:[^`]|``)+)` FOREIGN KEY (.*?),?$", re.MULTILINE)
_ACTION = re.compile(r" ON (DELETE|UPDATE) (?:CASCADE|SET NULL|SET DEFAULT)\b")


@dataclass(frozen=True)
class _Key:
    """A column of a foreign key that changes rows of `child` when rows of `parent` are deleted or get another key."""

    child: str
    parent: str
    column: str
    on_delete: bool
    on_update: bool


class Cascades:
    """The foreign keys of a database, as they are when a read begins, through which some tables change."""

    def __init__(self, session: Session, database: str, tables: Iterable[str]) -> None:
        self._tables = frozenset(tables)
        self._keys: list[_Key] = []
        actions: dict[str, dict[str, set[str]]] = {}
        for child, name, elsewhere, parent, column in rows_of(session, _KEYS, (database,)):
            if child not in actions:
                actions[child] = _actions(session, quoted(database, child))
            taken = actions[child].get(name, set())
            if taken and elsewhere != database and child in self._tables:
                problem = f"table {database}.{child} changes with table {elsewhere}.{parent} by a foreign key"
                remedy = "whose log is not read here; set its syncMode to a full refresh"
                raise ConnectorError(f"{problem}, {remedy}", kind="config_error")
            if taken:
                self._keys.append(_Key(child, parent, column, "DELETE" in taken, "UPDATE" in taken))
        self._keys = [key for key in self._keys if self._reached({key.child})]
        self._images: dict[str, tuple[RowImages, tuple[int, ...]]] = {}

    @property
    def parents(self) -> frozenset[str]:
        """The tables whose changes have to be seen."""
        return frozenset(key.parent for key in self._keys)

    def changed_by(self, event: Any, rows: bytes) -> frozenset[str]:
        """The tables that an event changes besides its own."""
        keys = [key for key in self._keys if key.parent == event.table]
        if isinstance(event, TableMapEvent) and keys:
            columns = {key.column for key in keys if key.on_update}
            places = tuple(place for place, column in enumerate(event.columns) if column.name in columns)
            self._images[event.table] = RowImages(event.columns), places
        elif isinstance(event, DeleteRowsEvent):
            return self._reached({key.child for key in keys if key.on_delete})
        elif isinstance(event, UpdateRowsEvent) and self._keys_moved(event.table, rows):
            return self._reached({key.child for key in keys if key.on_update})
        return frozenset()

    def _keys_moved(self, table: str, rows: bytes) -> bool:
        images, places = self._images.get(table, (RowImages(()), ()))
        if not places:
            return False
        image = images.read(rows)
        return any(
            old[place] != new[place] for old, new in zip(image, image, strict=True) for place in places
        )

    def _reached(self, changed: set[str]) -> frozenset[str]:
        """The followed tables among the changed ones, and those that change with them in turn."""
        found: set[str] = set()
        while changed - found:
            found |= changed
            changed = {key.child for key in self._keys if key.parent in found}
        return frozenset(found & self._tables)


def _actions(session: Session, table: str) -> dict[str, set[str]]:
    """By constraint, on what it acts; a user who may only read is not told by information_schema."""
    ((_, definition),) = rows_of(session, f"SHOW CREATE TABLE {table}")
    return {
        name.replace("``", "`"): set(_ACTION.findall(rest)) for name, rest in _CONSTRAINT.findall(definition)
    }
