"""What a merge tells Dagster: table facts on one event, and one event for every day that changed."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg

from lakehouse.catalog.meta import PartitionBy
from lakehouse.defs.bronze.merge import Merged
from lakehouse.defs.metadata import CHANGED, SNAPSHOT
from lakehouse.defs.partitions import KEY_FORMATS, partitions_of


def table_facts(merged: Merged) -> dict[str, Any]:
    """Metadata of the whole table after the merge."""
    result = merged.result
    return {
        "dagster/row_count": result.rows,
        "dagster/uri": dg.MetadataValue.path(merged.uri),
        CHANGED: merged.changed_rows,
        # As text: Iceberg's ids do not fit into the numbers of a browser.
        SNAPSHOT: str(result.snapshot_id) if result.snapshot_id is not None else "none",
        "lakehouse/watermark": dg.MetadataValue.json(
            {"epoch": result.watermark.epoch, "lsn": result.watermark.lsn} if result.watermark else {}
        ),
        "lakehouse/recovered": merged.recovered,
        "bytes": result.bytes,
        "seconds": round(result.seconds, 3),
        "inserted": result.inserted,
        "updated": result.updated,
        "deleted": result.deleted,
        "unchanged": result.unchanged,
        "landed_rows": result.landed_rows,
        "files_consumed": len(result.objects),
    }


def report_partitions(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    declared: PartitionBy,
    merged: Merged,
) -> dict[str, int]:
    """Put each requested day's facts on its event, and log an event for every other day that changed.

    The newest requested day carries the facts of the whole table. Returns the rows by day that belong to no
    declared partition.
    """
    rows = {partition_key(day, declared): count for day, count in merged.rows.items()}
    changed = {partition_key(day, declared) for day in merged.changed}
    partitions = partitions_of(declared)
    known = set(partitions.get_partition_keys() if partitions else ())
    requested = list(context.partition_keys)
    for day in sorted((changed & known) - set(requested)):
        context.log_event(
            dg.AssetMaterialization(key, partition=day, metadata=_day_facts(day, rows, changed))
        )
    touched = {"lakehouse/touched_partitions": dg.MetadataValue.json(sorted(changed))}
    for day in requested:
        whole = {**table_facts(merged), **touched} if day == requested[-1] else {}
        context.add_asset_metadata(
            {**whole, **_day_facts(day, rows, changed)}, asset_key=key, partition_key=day
        )
    return {day: count for day, count in rows.items() if day not in known and count}


def partition_key(period: date | None, declared: PartitionBy) -> str:
    """The key of a period of a bronze table; `none` for rows without one."""
    return period.strftime(KEY_FORMATS[declared.granularity]) if period else "none"


def _day_facts(day: str, rows: dict[str, int], changed: set[str]) -> dict[str, Any]:
    count = rows.get(day, 0)
    return {"dagster/partition_row_count": count, CHANGED: max(1, count) if day in changed else 0}
