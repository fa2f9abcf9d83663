"""Everything that retention removes, one kind after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import dagster as dg

from lakehouse.defs.hygiene.removed import Removed
from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings


def apply_retention(
    settings: Settings, instance: dg.DagsterInstance, *, dry_run: bool = False
) -> Iterator[Removed | LakehouseError]:
    """What each kind removed, or would remove; the error of one that could not, while the others go on."""
    from lakehouse.defs.hygiene import lake, logs, runs
    from lakehouse.lake.iceberg import open_catalog
    from lakehouse.observability.metadata.database import metadata_database

    kept = settings.retention
    old_runs, old_logs = timedelta(days=kept.runs_days), timedelta(days=kept.logs_days)
    kinds: list[Callable[[], Removed]] = [
        partial(runs.remove_runs, instance, metadata_database(settings), old_runs, dry_run=dry_run),
        partial(runs.remove_events_of_no_run, instance, old_runs, dry_run=dry_run),
        partial(runs.remove_compute_logs, instance, old_logs, dry_run=dry_run),
        partial(runs.give_back_space, instance, dry_run=dry_run),
        lambda: lake.remove_snapshots(settings, open_catalog(settings), dry_run=dry_run),
        lambda: lake.remove_orphan_files(settings, open_catalog(settings), dry_run=dry_run),
        lambda: lake.remove_landed(settings, open_catalog(settings), dry_run=dry_run),
        partial(logs.remove_searchable, settings, dry_run=dry_run),
        partial(logs.remove_archived, settings, dry_run=dry_run),
    ]
    for remove in kinds:
        try:
            yield remove()
        except LakehouseError as error:
            yield error
