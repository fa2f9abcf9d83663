"""What a backfill means to make, recorded before its first run: killed half-way, it leaves behind what is missing."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse.defs.automation.execute import lives, this_process
from lakehouse.defs.automation.outcomes import record_newest
from lakehouse.defs.automation.refresh import Step
from lakehouse.defs.automation.stale import Stale
from lakehouse.defs.automation.why import Why
from lakehouse.observability.metadata.losses import not_stopping
from lakehouse.observability.metadata.outcome import NO_PARTITION

if TYPE_CHECKING:
    from lakehouse.observability.metadata.database import MetadataDatabase

_WARN = logging.getLogger(__name__).warning
_OTHERWISE = "--failed-only will not know of days that this backfill does not come to"


class Intent:
    """The plan of one backfill in the metadata database."""

    def __init__(self, metadata: MetadataDatabase | None, id_: str | None) -> None:
        self._metadata = metadata
        self._id = id_

    def tried(self, step: Step) -> None:
        """These are no longer planned: the run has an outcome of its own."""
        from lakehouse.observability.metadata.outcomes import carried_out

        if self._metadata is None or self._id is None:
            return
        assets = [key.to_user_string() for key in step.keys]
        with not_stopping(_WARN, _OTHERWISE), self._metadata.transaction() as connection:
            carried_out(connection, self._id, assets, step.window or (NO_PARTITION, NO_PARTITION))

    def end(self) -> None:
        """The backfill comes to nothing more."""
        from lakehouse.observability.metadata.outcomes import end_backfill

        if self._metadata is not None and self._id is not None:
            with not_stopping(_WARN, _OTHERWISE), self._metadata.transaction() as connection:
                end_backfill(connection, self._id)


@contextmanager
def intending(metadata: MetadataDatabase | None, wanted: Mapping[dg.AssetKey, Stale]) -> Iterator[Intent]:
    """The block makes these; without a database, or while it is down, nobody knows beforehand."""
    from lakehouse.observability.metadata.outcomes import plan

    id_ = None
    if metadata is not None:
        days = {key.to_user_string(): stale.days for key, stale in wanted.items()}
        with not_stopping(_WARN, _OTHERWISE), metadata.transaction() as connection:
            id_ = plan(connection, this_process(), days, Why.BACKFILL)
    intent = Intent(metadata, id_)
    try:
        yield intent
    finally:
        intent.end()


def not_made(
    instance: dg.DagsterInstance, metadata: MetadataDatabase, keys: Collection[dg.AssetKey]
) -> dict[dg.AssetKey, set[str]]:
    """Partitions of each asset whose newest outcome, or newest plan that nobody carries out, is not that it was made.

    `NO_PARTITION` stands for an asset without partitions.

    Raises:
        TransientError, PermanentError: as `MetadataDatabase.transaction` does.
    """
    from lakehouse.observability.metadata.outcomes import newest_not_made, unended_backfills

    record_newest(instance, metadata)
    names = {key.to_user_string(): key for key in keys}
    with metadata.transaction() as connection:
        alive = [id_ for id_, process in unended_backfills(connection).items() if lives(process)]
        found = newest_not_made(connection, names.keys(), alive)
    return {names[name]: partitions for name, partitions in found.items()}
