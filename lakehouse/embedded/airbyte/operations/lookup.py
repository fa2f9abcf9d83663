"""Rows that must be there, and names that must be free."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.store import Row, Store


def found(row: Row | None, what: str, key: object) -> Row:
    """The row, or 404 naming what is not there."""
    if row is None:
        raise ApiError(404, f"there is no {what} {key}")
    return row


def workspace(store: Store, workspace_id: str) -> Row:
    """The workspace of an id, or 404."""
    return found(store.row("SELECT * FROM workspaces WHERE id = ?", workspace_id), "workspace", workspace_id)


def write_named(store: Store, write: Callable[[], object], what: str, name: str | None) -> None:
    """Write a row whose name must be unique in its workspace, or 409; so too when what it names is gone."""
    try:
        with store.transaction():
            write()
    except sqlite3.IntegrityError as error:
        if "FOREIGN KEY" in str(error):
            raise ApiError(409, f"what {what} {name} belongs to was deleted meanwhile") from error
        if "UNIQUE" not in str(error):
            raise
        raise ApiError(409, f"there is a {what} named {name} in this workspace already") from error
