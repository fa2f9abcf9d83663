"""Log records that are older than they are kept: in the searchable store, and in the lake."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta

from lakehouse.defs.hygiene.removed import Removed
from lakehouse.settings import Settings


def remove_searchable(settings: Settings, *, dry_run: bool) -> Removed:
    """Whole days (UTC) of records. Raises TransientError or PermanentError when the store cannot be asked."""
    from lakehouse.observability.logs.store import open_log_store

    day = _first_kept(settings.retention.log_search_days)
    with closing(open_log_store(settings)) as store:
        count = store.count_before(day) if dry_run else store.remove_before(day)
        return Removed(
            "searchable log records", count, note=f"in {store.capabilities.name}, of days before {day}"
        )


def remove_archived(settings: Settings, *, dry_run: bool) -> Removed:
    """Whole days (UTC) of files. Raises TransientError when the lake cannot be asked."""
    from lakehouse.observability.logs.archive import LogArchive

    archive = LogArchive(settings)
    old = archive.before(_first_kept(settings.retention.log_archive_days))
    if not dry_run:
        archive.remove(path for path, _ in old)
    return Removed("files of logs", len(old), sum(size for _, size in old))


def _first_kept(days: int) -> date:
    return (datetime.now(UTC) - timedelta(days=days)).date()
