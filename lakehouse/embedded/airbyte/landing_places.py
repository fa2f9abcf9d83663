"""Where the streams of all connections of a destination land: never two at one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakehouse.embedded.airbyte.catalog import configured_streams
from lakehouse.embedded.airbyte.store import Store
from lakehouse.embedded.airbyte.stream_sync import landing_names


def place_conflict(store: Store, connection: Mapping[str, Any]) -> str | None:
    """Which stream would land where another one does, in one line, or None.

    Nobody could tell the two apart, and an overwrite of one would remove both.
    """
    sql = "SELECT * FROM connections WHERE destination_id = ? AND id <> ?"
    taken = {
        landing_names(other, stream): other["name"]
        for other in store.rows(sql, connection["destination_id"], connection["id"])
        for stream in configured_streams(other["catalog"])
    }
    for stream in configured_streams(connection["catalog"]):
        landed = landing_names(connection, stream)
        if landed in taken:
            place = "/".join(part for part in landed if part)
            problem = f"stream {stream.name} would land as {place}, where {taken[landed]} lands already"
            return f"{problem}; give another namespaceFormat or prefix"
        taken[landed] = connection["name"]
    return None
