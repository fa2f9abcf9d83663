"""Reading streams from their beginning again, and forgetting what was landed of them.

A refresh begins a generation and drops the state: with `merge` older generations stay, with `truncate` they are
removed when the stream is complete. A clear removes data and state. Source: the refresh and clear of Airbyte's
protocol 0.8 (generation_id, minimum_generation_id).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from lakehouse.embedded.airbyte.landing.cleanup import forget_older_generations, schedule_cleanup
from lakehouse.embedded.airbyte.landing.paths import stream_path
from lakehouse.embedded.airbyte.store import Row, Store
from lakehouse.embedded.airbyte.stream_sync import Sync, landing_name_of

Place = tuple[str, str]
"""Namespace and name of a stream; the namespace is empty where there is none."""


def request_refresh(store: Store, job_id: int, places: Sequence[Place], mode: str) -> None:
    """Keep what a job of type refresh, clear or reset is about; call it in the transaction that makes the job."""
    store.insert("refreshes", {"job_id": job_id, "mode": mode, "places": json.dumps(places)})


def begin_refresh(store: Store, job: Row) -> None:
    """Begin a generation of each stream that the job refreshes; call it where its first attempt begins."""
    asked = store.row("SELECT * FROM refreshes WHERE job_id = ?", job["id"])
    if asked is None or job["type"] != "refresh":
        return
    for namespace, name in json.loads(asked["places"]):
        generation = _begin_anew(store, job["connection_id"], (namespace, name))
        if asked["mode"] == "truncate":
            store.execute(
                "INSERT OR REPLACE INTO minimum_generations VALUES (?, ?, ?, ?)",
                job["connection_id"], namespace, name, generation,
            )  # fmt: skip


def minimum_generation(store: Store, connection_id: str, place: Place) -> int:
    """The generation below which a truncating refresh wants a stream's files gone; 0 without one."""
    sql = (
        "SELECT generation_id FROM minimum_generations WHERE connection_id = ? AND namespace = ? AND name = ?"
    )
    row = store.row(sql, connection_id, *place)
    return 0 if row is None else int(row["generation_id"])


def end_refresh(store: Store, connection_id: str) -> None:
    """Every stream has been read to its end: nothing older waits for its removal; call it where the job succeeds."""
    store.execute("DELETE FROM minimum_generations WHERE connection_id = ?", connection_id)


def clear(sync: Sync) -> None:
    """Remove the landed files and the state of the streams that the job names. Raises JobEndedError."""
    store, connection_id = sync.store, sync.connection["id"]
    asked = store.row("SELECT * FROM refreshes WHERE job_id = ?", sync.job_id)
    for namespace, name in json.loads(asked["places"]) if asked else ():
        landed = landing_name_of(sync.connection, namespace, name)
        path = stream_path(sync.destination, *landed, sync.job_id, sync.started_ms)
        with store.transaction():
            store.require_running(sync.job_id)
            generation = _begin_anew(store, connection_id, (namespace, name))
            store.insert("job_streams", {"job_id": sync.job_id, "namespace": namespace, "name": name})
            cleanup = schedule_cleanup(store, sync.destination_id, path, generation)
        forget_older_generations(store, sync.target, cleanup)
        sync.log("INFO", f"stream {name}: cleared, generation {generation} follows")


def known_places(store: Store, connection: Row) -> list[Place]:
    """Every stream of a connection that is selected or was ever read, in order."""
    selected = [
        (entry["stream"].get("namespace") or "", entry["stream"]["name"])
        for entry in connection["catalog"]["streams"]
        if entry["config"]["selected"]
    ]
    read = store.rows("SELECT namespace, name FROM streams WHERE connection_id = ?", connection["id"])
    return sorted({*selected, *((row["namespace"], row["name"]) for row in read)})


def _begin_anew(store: Store, connection_id: str, place: Place) -> int:
    """The generation that begins; no state is left of the one before."""
    store.execute(
        "INSERT OR IGNORE INTO streams (connection_id, namespace, name) VALUES (?, ?, ?)",
        connection_id,
        *place,
    )
    store.execute(
        "UPDATE streams SET generation_id = generation_id + 1, state = NULL"
        " WHERE connection_id = ? AND namespace = ? AND name = ?",
        connection_id, *place,
    )  # fmt: skip
    _forget_in_log(store, connection_id, place)
    return int(store.stream(connection_id, *place)["generation_id"])


def _forget_in_log(store: Store, connection_id: str, place: Place) -> None:
    state = store.log_state(connection_id)
    if state is not None:
        entries = [(entry["stream_descriptor"], entry) for entry in state.get("stream_states") or ()]
        kept = [entry for at, entry in entries if (at.get("namespace") or "", at["name"]) != place]
        store.set_log_state(connection_id, {**state, "stream_states": kept})
