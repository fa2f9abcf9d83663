"""After an overwrite, objects of older generations go; this is noted first, so that a kill keeps none."""

from __future__ import annotations

import re

from lakehouse.embedded.airbyte.landing.paths import StreamPath
from lakehouse.embedded.airbyte.landing.target import LandingTarget
from lakehouse.embedded.airbyte.store import Row, Store


def schedule_cleanup(store: Store, destination_id: str, path: StreamPath, minimum_generation_id: int) -> Row:
    """Notes, inside the transaction that commits a stream, that its older generations are to be removed."""
    cleanup = {
        "destination_id": destination_id,
        "prefix": path.constant_prefix,
        "pattern": path.every_sync.pattern,
        "minimum_generation_id": minimum_generation_id,
    }
    return cleanup | {"id": store.insert("cleanups", cleanup)}


def forget_older_generations(store: Store, target: LandingTarget, cleanup: Row) -> None:
    """Removes the objects of a stream whose generation id is below the minimum, then the note."""
    pattern = re.compile(cleanup["pattern"])
    older = []
    for key in target.list(cleanup["prefix"]):
        if pattern.fullmatch(key) is None:
            continue
        generation = target.generation(key)
        if generation is not None and generation < cleanup["minimum_generation_id"]:
            older.append(key)
    target.delete(older)
    with store.transaction():
        for key in older:
            store.execute(
                "DELETE FROM landing_files WHERE destination_id = ? AND key = ?",
                cleanup["destination_id"],
                key,
            )
        store.execute("DELETE FROM cleanups WHERE id = ?", cleanup["id"])
