"""Snapshots of an Iceberg table that may go: the old ones, but never those that lead to the watermark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException

from lakehouse.errors import TransientError
from lakehouse.lake.watermark import WATERMARK_PROPERTY

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot


def expire_snapshots(table: Table, kept: timedelta, *, dry_run: bool = False) -> list[int]:
    """Take snapshots older than `kept` out of the table's metadata; gives their ids.

    The current one stays, and all from it back to the newest with a watermark, which is found by walking from parent
    to parent; of a table without watermarks only the current one. So do those that a branch or a tag names. Files that
    only the expired ones referred to are orphans from now on: `remove_orphans`.

    Raises:
        TransientError: another writer committed meanwhile.
    """
    before = (datetime.now(UTC) - kept).timestamp() * 1000
    named = {reference.snapshot_id for reference in table.metadata.refs.values()}
    needed = named | {snapshot.snapshot_id for snapshot in _to_the_watermark(table)}
    old = [
        s.snapshot_id for s in table.snapshots() if s.timestamp_ms < before and s.snapshot_id not in needed
    ]
    if old and not dry_run:
        try:
            table.maintenance.expire_snapshots().by_ids(old).commit()
        except CommitFailedException as error:
            name = ".".join(table.name())
            raise TransientError(
                f"{name} was written to while its old snapshots were to go", remedy="again"
            ) from error
    return old


def _to_the_watermark(table: Table) -> list[Snapshot]:
    from pyiceberg.table.snapshots import ancestors_of

    found: list[Snapshot] = []
    for snapshot in ancestors_of(table.current_snapshot(), table.metadata):
        found.append(snapshot)
        if snapshot.summary and snapshot.summary.get(WATERMARK_PROPERTY):
            return found
    return found[:1]
