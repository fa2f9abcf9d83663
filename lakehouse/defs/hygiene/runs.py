"""Old runs with their events and logs: those of which nothing is read any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster import RunsFilter

from lakehouse.defs.automation.outcomes import ENDED, record_missing
from lakehouse.defs.hygiene.needed import Needed
from lakehouse.defs.hygiene.removed import Removed

if TYPE_CHECKING:
    from lakehouse.observability.metadata.database import MetadataDatabase

MOST_RUNS = 2000
"""Removed at one time; the next time goes on."""
_RECORDED_AT_ONCE = 100


def remove_runs(
    instance: dg.DagsterInstance, metadata: MetadataDatabase, kept: timedelta, *, dry_run: bool
) -> Removed:
    """Runs that ended, and began before that, with their events and logs; kept is what is still read.

    What became of their partitions is in the metadata database before they go.

    Raises:
        TransientError, PermanentError: the metadata database is down; nothing is removed.
    """
    old = _old_runs(instance, kept)
    needed = Needed(instance)
    going: list[str] = []
    for run_id in old:
        if len(going) == MOST_RUNS:
            break
        if not needed.of_run(run_id):
            going.append(run_id)
    if not dry_run:
        for at in range(0, len(going), _RECORDED_AT_ONCE):
            record_missing(instance, metadata, going[at : at + _RECORDED_AT_ONCE])
        for run_id in going:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
    note = f"{len(old)} began over {kept.days} days ago; the others still tell the newest of something"
    return Removed("runs", len(going), note=note)


def remove_events_of_no_run(instance: dg.DagsterInstance, kept: timedelta, *, dry_run: bool) -> Removed:
    """Landing events that a sensor told; only the SQLite event log of this project can remove single events."""
    from lakehouse.observability.event_log import BatchingSqliteEventLogStorage

    needed, before = Needed(instance), (datetime.now(UTC) - kept).timestamp()
    unread = [id_ for key in instance.all_asset_keys() for id_ in needed.unread_of_no_run(key, before)]
    storage = instance.event_log_storage
    if not isinstance(storage, BatchingSqliteEventLogStorage):
        return Removed("events of no run", 0, note=f"{len(unread)} are not read; this storage removes none")
    if not dry_run:
        storage.delete_events_of_no_run(unread, before)
    return Removed("events of no run", len(unread))


def remove_compute_logs(instance: dg.DagsterInstance, kept: timedelta, *, dry_run: bool) -> Removed:
    """What old runs printed, of runs that are kept too; in object storage its own life-cycle rules do that."""
    folder = Path(instance.storage_directory())
    ended = set(instance.get_run_ids(RunsFilter(statuses=ENDED, created_before=datetime.now(UTC) - kept)))
    old = [run_id for run_id in ended if (folder / run_id / "compute_logs").is_dir()]
    size = sum(
        path.stat().st_size
        for run_id in old
        for path in (folder / run_id / "compute_logs").rglob("*")
        if path.is_file()
    )
    if not dry_run:
        for run_id in old:
            instance.compute_log_manager.delete_logs(prefix=[run_id, "compute_logs"])
    return Removed("logs of runs", len(old), size)


def give_back_space(instance: dg.DagsterInstance, *, dry_run: bool) -> Removed:
    """What SQLite files of the instance hold for nothing goes back to the disk."""
    from lakehouse.observability.sqlite_files import free_bytes, vacuum

    history = Path(instance.root_directory) / "history"
    files = [path for path in (history / "runs.db", history / "runs" / "index.db") if path.is_file()]
    return Removed(
        "space in SQLite files", len(files), sum((free_bytes if dry_run else vacuum)(path) for path in files)
    )


def _old_runs(instance: dg.DagsterInstance, kept: timedelta) -> list[str]:
    """Oldest first, without those of a backfill that goes on."""
    before = datetime.now(UTC) - kept
    found = instance.get_run_ids(RunsFilter(statuses=ENDED, created_before=before))
    going_on = set(instance.get_run_ids(RunsFilter(tags={"dagster/backfill": _backfills_at_work(instance)})))
    return [run_id for run_id in reversed(found) if run_id not in going_on]


def _backfills_at_work(instance: dg.DagsterInstance) -> list[str]:
    from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES

    found = instance.get_backfills()
    return [b.backfill_id for b in found if b.status not in BULK_ACTION_TERMINAL_STATUSES] or ["none"]
