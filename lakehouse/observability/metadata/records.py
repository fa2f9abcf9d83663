"""Writing to the metadata database: rows are put in or replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

_ROWS_A_STATEMENT = 500


def put(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows that give every column's value; a row of the same primary key is replaced."""
    keys = [column.name for column in table.primary_key]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(table)
    replaced = {column.name: insert.excluded[column.name] for column in table.c if column.name not in keys}
    statement = insert.on_conflict_do_update(index_elements=keys, set_=replaced)
    waiting = iter(rows)
    while some := list(islice(waiting, _ROWS_A_STATEMENT)):
        connection.execute(statement, some)
