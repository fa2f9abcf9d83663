"""What the event log tells about an asset: when it was made, and what changed after that.

Events are told apart by their storage ids, which grow as they are written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import dagster as dg
from dagster import AssetRecordsFilter, DagsterEventType, EventLogRecord

from lakehouse.defs.metadata import CHANGED, SNAPSHOT

_PAGE = 500
_CODE_VERSION = "dagster/code_version"


class History:
    """One look at an instance: what is read of an asset's newest events is read once."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._newest: dict[dg.AssetKey, tuple[EventLogRecord | None, str | None]] = {}
        self._days: dict[dg.AssetKey, dict[str, int]] = {}

    def look_at(self, keys: Collection[dg.AssetKey]) -> None:
        """Read the newest events of all these assets at once, which takes a fraction of one after the other."""
        self._newest |= dict.fromkeys(keys, (None, None))
        for record in self._instance.get_asset_records(list(keys)):
            entry = record.asset_entry
            self._newest[entry.asset_key] = entry.last_materialization_record, entry.last_run_id

    def made_at(self, key: dg.AssetKey) -> int | None:
        """Storage id of the newest materialization.

        None when there is none, or when a later run meant to make the asset and did not: it failed, or was
        killed half-way, and what is there now cannot be trusted.
        """
        newest, last_run = self._newest_of(key)
        if newest is None or newest.event_log_entry.run_id != last_run:
            return None
        return newest.storage_id

    def days_made_at(self, key: dg.AssetKey) -> dict[str, int]:
        """Storage id of the newest materialization of every partition."""
        if key not in self._days:
            self._days[key] = self._newest_by_day(key, DagsterEventType.ASSET_MATERIALIZATION)
        return self._days[key]

    def unfinished_days(self, key: dg.AssetKey, partitions: dg.PartitionsDefinition) -> set[str]:
        """Partitions that a run meant to make and did not, or not yet."""
        made = self.days_made_at(key)
        meant = self._newest_by_day(key, DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        if all(at < made.get(day, -1) for day, at in meant.items()):
            return set()  # Dagster's own look at each partition, with the runs, takes far longer
        return {day for day, state in self._states(key, partitions).items() if state != "MATERIALIZED"}

    def failed_days(self, key: dg.AssetKey, partitions: dg.PartitionsDefinition) -> set[str]:
        """Partitions that the last run that meant to make them did not make, and has ended."""
        return {day for day, state in self._states(key, partitions).items() if state == "FAILED"}

    def was_left(self, key: dg.AssetKey) -> bool:
        """Whether the last run that meant to make the asset, and has ended, did not make it."""
        newest, last_run = self._newest_of(key)
        if last_run is None or (newest is not None and newest.event_log_entry.run_id == last_run):
            return False
        run = self._instance.get_run_by_id(last_run)
        return run is None or run.is_finished

    def changed_after(self, key: dg.AssetKey, after: int) -> bool:
        """Whether a materialization after that storage id changed something."""
        return next(self._changes(key, after), None) is not None

    def changed_by_another_run(
        self, key: dg.AssetKey, run_id: str, after: float, days: Sequence[str] | None = None
    ) -> bool:
        """Whether a run other than this one changed the asset after a time, in seconds since 1970."""
        wanted = AssetRecordsFilter(asset_key=key, asset_partitions=days, after_timestamp=after)
        newest = self._instance.fetch_materializations(wanted, limit=_PAGE).records
        return any(
            record.run_id != run_id and _tells_of_changes(record.asset_materialization) for record in newest
        )

    def days_changed_after(self, key: dg.AssetKey, made_at: Mapping[str, int]) -> dict[str, int]:
        """Partitions that changed after the storage id that `made_at` has for them, and that of the newest change."""
        newer = [day for day, at in self.days_made_at(key).items() if at > made_at.get(day, -1)]
        if not newer:
            return {}
        since = min(made_at.get(day, -1) for day in newer)
        changed: dict[str, int] = {}
        for record in self._changes(key, since, newer):  # the newest first
            if record.partition_key and record.storage_id > made_at.get(record.partition_key, -1):
                changed.setdefault(record.partition_key, record.storage_id)
        return changed

    def is_recoded(self, key: dg.AssetKey, code_version: str | None) -> bool:
        """Whether the newest materialization was made by other code."""
        if code_version is None:
            return False
        newest, _ = self._newest_of(key)
        made = newest.asset_materialization if newest else None
        told = (made.tags or {}).get(_CODE_VERSION) if made else None
        return told is not None and told != code_version

    def snapshot(self, key: dg.AssetKey) -> int | None:
        """The Iceberg snapshot that the newest materialization of a bronze table tells."""
        newest, _ = self._newest_of(key)
        made = newest.asset_materialization if newest else None
        told = made.metadata.get(SNAPSHOT) if made else None
        return int(str(told.value)) if told and told.value != "none" else None

    def landed_nothing_at(self, key: dg.AssetKey) -> int | None:
        """When the newest sync of a landed stream was told, in ms since 1970, if it found no row at all."""
        newest, _ = self._newest_of(key)
        made = newest.asset_materialization if newest else None
        told = made.metadata.get(CHANGED) if made else None
        return int(newest.timestamp * 1000) if newest and told is not None and told.value == 0 else None

    def _newest_by_day(self, key: dg.AssetKey, kind: DagsterEventType) -> dict[str, int]:
        return dict(self._instance.get_latest_storage_id_by_partition(key, kind))

    def _states(self, key: dg.AssetKey, partitions: dg.PartitionsDefinition) -> dict[str, str]:
        days = partitions.get_partition_keys()
        states = self._instance.get_status_by_partition(key, days, partitions) or {}
        return {day: state.value for day, state in states.items() if state}

    def _newest_of(self, key: dg.AssetKey) -> tuple[EventLogRecord | None, str | None]:
        """The newest materialization, and the last run that meant to make the asset."""
        if key not in self._newest:
            self.look_at([key])
        return self._newest[key]

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
