"""What a connection's streams have reached, as the configuration API's ConnectionState."""

from __future__ import annotations

from typing import Any

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.configuration_requests import (
    ConnectionStateBody,
    GlobalStateBody,
    StreamDescriptor,
    StreamStateBody,
)
from lakehouse.embedded.airbyte.refreshes import known_places
from lakehouse.embedded.airbyte.store import Row, Store


def state_of(store: Store, connection: Row) -> dict[str, Any]:
    """The state: GLOBAL for a log-based connection, else that of each stream."""
    shown: dict[str, Any] = {"connectionId": connection["id"], "stateType": "not_set"}
    log = store.log_state(connection["id"])
    if log is not None:
        streams = [
            {"streamDescriptor": entry["stream_descriptor"], "streamState": entry["stream_state"]}
            for entry in log.get("stream_states") or ()
        ]
        state = {"sharedState": log.get("shared_state") or {}, "streamStates": streams}
        return shown | {"stateType": "global", "globalState": state}
    rows = store.rows(
        "SELECT * FROM streams WHERE connection_id = ? ORDER BY namespace, name", connection["id"]
    )
    reached = [
        {"streamDescriptor": _descriptor(row["namespace"], row["name"]), "streamState": row["state"]}
        for row in rows
        if row["state"] is not None
    ]
    return shown | ({"stateType": "stream", "streamState": reached} if reached else {})


def change_state(store: Store, connection: Row, given: ConnectionStateBody) -> None:
    """Set the state of the streams given, or all of a GLOBAL one; `not_set` forgets everything. Raises ApiError."""
    if given.connection_id not in (None, connection["id"]):
        raise ApiError(400, f"connectionState: connectionId {given.connection_id} is another connection's")
    with store.transaction():
        if given.state_type == "global":
            if given.global_state is None:
                raise ApiError(400, "connectionState: stateType global needs globalState")
            store.set_log_state(connection["id"], _log_state(given.global_state))
        elif given.state_type == "stream":
            if given.stream_state is None:
                raise ApiError(400, "connectionState: stateType stream needs streamState")
            for entry in given.stream_state:
                _set(store, connection, entry)
        else:
            store.set_log_state(connection["id"], None)
            store.execute("UPDATE streams SET state = NULL WHERE connection_id = ?", connection["id"])


def _set(store: Store, connection: Row, entry: StreamStateBody) -> None:
    at = entry.stream_descriptor
    place = (at.namespace or "", at.name)
    if place not in known_places(store, connection):
        raise ApiError(400, f"connectionState: stream {at.name} is not in connection {connection['name']}")
    store.execute(
        "INSERT OR IGNORE INTO streams (connection_id, namespace, name) VALUES (?, ?, ?)",
        connection["id"],
        *place,
    )
    if entry.stream_state is None:
        store.execute(
            "UPDATE streams SET state = NULL WHERE connection_id = ? AND namespace = ? AND name = ?",
            connection["id"], *place,
        )  # fmt: skip
    else:
        store.set_state(connection["id"], *place, entry.stream_state)


def _log_state(given: GlobalStateBody) -> dict[str, Any]:
    return {
        "shared_state": given.shared_state or {},
        "stream_states": [
            {"stream_descriptor": _named(entry.stream_descriptor), "stream_state": entry.stream_state}
            for entry in given.stream_states
            if entry.stream_state is not None
        ],
    }


def _named(at: StreamDescriptor) -> dict[str, str]:
    return _descriptor(at.namespace or "", at.name)


def _descriptor(namespace: str, name: str) -> dict[str, str]:
    return {"name": name} | ({"namespace": namespace} if namespace else {})
