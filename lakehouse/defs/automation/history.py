"""What the event log tells about an asset: when it was made, and what changed after that.

Events are told apart by their storage ids, which grow as they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
from dagster import AssetRecordsFilter, DagsterEventType, EventLogRecord

from lakehouse.defs.metadata import CHANGED, SNAPSHOT

_PAGE = 500
_CODE_VERSION = "dagster/code_version"


class History:
    """Reads of one instance."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def made_at(self, key: dg.AssetKey) -> int | None:
        """Storage id of the newest materialization.

        None when there is none, or when a later run meant to make the asset and did not: it failed, or was
        killed half-way, and what is there now cannot be trusted.
        """
        records = self._instance.get_asset_records([key])
        entry = records[0].asset_entry if records else None
        newest = entry.last_materialization_record if entry else None
        if entry is None or newest is None or entry.last_run_id != newest.event_log_entry.run_id:
            return None
        return newest.storage_id

    def days_made_at(self, key: dg.AssetKey) -> dict[str, int]:
        """Storage id of the newest materialization of every partition."""
        return dict(
            self._instance.get_latest_storage_id_by_partition(key, DagsterEventType.ASSET_MATERIALIZATION)
        )

    def unfinished_days(self, key: dg.AssetKey, partitions: dg.PartitionsDefinition) -> set[str]:
        """Partitions that a run meant to make and did not."""
        days = partitions.get_partition_keys()
        status = self._instance.get_status_by_partition(key, days, partitions) or {}
        return {day for day, state in status.items() if state and state.value != "MATERIALIZED"}

    def changed_after(self, key: dg.AssetKey, after: int) -> bool:
        """Whether a materialization after that storage id changed something."""
        return next(self._changes(key, after), None) is not None

    def days_changed_after(self, key: dg.AssetKey, made_at: Mapping[str, int]) -> set[str]:
        """Partitions that changed after the storage id that `made_at` has for them."""
        newer = [day for day, at in self.days_made_at(key).items() if at > made_at.get(day, -1)]
        if not newer:
            return set()
        since = min(made_at.get(day, -1) for day in newer)
        return {
            record.partition_key
            for record in self._changes(key, since, newer)
            if record.partition_key and record.storage_id > made_at.get(record.partition_key, -1)
        }

    def is_recoded(self, key: dg.AssetKey, code_version: str | None) -> bool:
        """Whether the newest materialization was made by other code."""
        event = self._instance.get_latest_materialization_event(key)
        made = event.asset_materialization if event else None
        told = (made.tags or {}).get(_CODE_VERSION) if made else None
        return code_version is not None and told is not None and told != code_version

    def snapshot(self, key: dg.AssetKey) -> int | None:
        """The Iceberg snapshot that the newest materialization of a bronze table tells."""
        event = self._instance.get_latest_materialization_event(key)
        made = event.asset_materialization if event else None
        told = made.metadata.get(SNAPSHOT) if made else None
        return int(str(told.value)) if told and told.value != "none" else None

    def _changes(
        self, key: dg.AssetKey, after: int, days: Sequence[str] | None = None
    ) -> Iterator[EventLogRecord]:
        """Later materializations that changed something, the newest first.

        Landing and bronze tell how many rows changed; every other materialization counts as a change.
        """
        wanted = AssetRecordsFilter(asset_key=key, asset_partitions=days, after_storage_id=after)
        cursor: str | None = None
        while True:
            page = self._instance.fetch_materializations(wanted, limit=_PAGE, cursor=cursor)
            yield from (record for record in page.records if _tells_of_changes(record.asset_materialization))
            if not page.has_more:
                return
            cursor = page.cursor


def _tells_of_changes(materialization: dg.AssetMaterialization | None) -> bool:
    told = materialization.metadata.get(CHANGED) if materialization else None
    return told is None or bool(told.value)
