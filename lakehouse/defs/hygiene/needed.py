"""Which events of the log are still read: by Dagster's pages and, as `automation.history` does, by the platform.

Of each asset and partition these are the newest materialization, the newest that told of changes, and the newest plan,
which tells of a failure; of each check the newest evaluation. What is older says nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import dagster as dg
from dagster import AssetRecordsFilter, DagsterEventType

# Only the storage itself tells events without their payloads, and of runs that are gone; it has no public path.
from dagster._core.storage.asset_check_execution_record import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES

from lakehouse.defs.metadata import CHANGED

if TYPE_CHECKING:
    from dagster._core.storage.event_log.base import AssetEventSummaryRecord

_Kind = Literal[DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_MATERIALIZATION_PLANNED]
_MADE: Final = DagsterEventType.ASSET_MATERIALIZATION
_PLANNED: Final = DagsterEventType.ASSET_MATERIALIZATION_PLANNED
_TELL_OF_CHANGES = frozenset({"landing", "bronze"})
"""Layers whose materializations may say that nothing changed; any other counts as a change."""
_PAGE, _PAGES = 500, 40

_Newest = dict[str | None, int]
"""Storage id by partition; None for an asset without."""


class Needed:
    """One look at an instance; what is found out of an asset is kept."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._newest: Callable[[dg.AssetKey, _Kind], _Newest] = cache(self._find_newest)
        self._changed: Callable[[dg.AssetKey], tuple[_Newest, bool]] = cache(self._find_changed)
        self._last_run: Callable[[dg.AssetKey], str | None] = cache(self._find_last_run)
        self._checked: Callable[[dg.AssetCheckKey], set[str]] = cache(self._find_checked)

    def of_run(self, run_id: str) -> bool:
        """Whether anything of the run is still read."""
        return (
            any(self._is_read(_MADE, event) for event in self._events(_MADE, run_id))
            or any(self._is_read(_PLANNED, event) for event in self._events(_PLANNED, run_id))
            or any(run_id in self._checked(check) for check in self._checks_of(run_id))
        )

    def unread_of_no_run(self, key: dg.AssetKey, before: float) -> list[int]:
        """Storage ids of materializations that no run made, from before that time stamp (seconds since 1970)."""
        return [
            event.storage_id
            for event in self._events(_MADE, "", key)
            if event.timestamp < before and not self._is_read(_MADE, event)
        ]

    def _is_read(self, kind: _Kind, event: AssetEventSummaryRecord) -> bool:
        key, partition, id_ = event.asset_key, event.partition, event.storage_id
        made = self._newest(key, _MADE).get(partition, -1)
        if kind == _PLANNED:
            planned = self._newest(key, _PLANNED).get(partition, -1)
            return max(made, planned) <= id_ or self._last_run(key) == event.run_id
        if made <= id_:
            return True
        return key.path[0] in _TELL_OF_CHANGES and id_ == self._newest_change(key, partition, id_)

    def _newest_change(self, key: dg.AssetKey, partition: str | None, id_: int) -> int | None:
        """Of this event, `id_`, it is not known to be another where too many newer ones tell of none."""
        changed, is_all = self._changed(key)
        return changed.get(partition, None if is_all else id_)

    def _events(
        self, kind: _Kind, run_id: str, key: dg.AssetKey | None = None
    ) -> Sequence[AssetEventSummaryRecord]:
        storage = self._instance.event_log_storage
        return storage.get_asset_event_summary_records(kind, asset_key=key, run_id=run_id)

    def _find_newest(self, key: dg.AssetKey, kind: _Kind) -> _Newest:
        newest = self._instance.event_log_storage.get_asset_event_summary_records(
            kind, asset_key=key, limit=1
        )
        by_partition = self._instance.get_latest_storage_id_by_partition(key, kind)
        found: _Newest = {}
        found.update(by_partition)
        if newest:
            found[None] = newest[0].storage_id
        return found

    def _find_changed(self, key: dg.AssetKey) -> tuple[_Newest, bool]:
        """Of the newest events, those that tell of changes; and whether these are all that there are."""
        found: _Newest = {}
        partitions = max(1, len(self._newest(key, _MADE)) - 1)
        cursor: str | None = None
        for _ in range(_PAGES):
            page = self._instance.fetch_materializations(AssetRecordsFilter(key), limit=_PAGE, cursor=cursor)
            for record in page.records:
                told = record.asset_materialization
                if told is not None and (CHANGED not in told.metadata or told.metadata[CHANGED].value):
                    found.setdefault(record.partition_key, record.storage_id)
            cursor = page.cursor
            if not page.has_more or len(found) == partitions:
                return found, True
        return found, False

    def _find_last_run(self, key: dg.AssetKey) -> str | None:
        records = self._instance.get_asset_records([key])
        return records[0].asset_entry.last_run_id if records else None

    def _checks_of(self, run_id: str) -> set[dg.AssetCheckKey]:
        told, planned = (
            DagsterEventType.ASSET_CHECK_EVALUATION,
            DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        )
        events = [
            entry.get_dagster_event() for entry in self._instance.all_logs(run_id, of_type={told, planned})
        ]
        return {
            event.asset_check_evaluation_data.asset_check_key
            if event.event_type == told
            else event.asset_check_planned_data.asset_check_key
            for event in events
        }

    def _find_checked(self, check: dg.AssetCheckKey) -> set[str]:
        """The runs of the newest look at the check, and of the newest that came to a result."""
        storage = self._instance.event_log_storage
        done = COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES
        newest = [
            *storage.get_asset_check_execution_history(check, limit=1),
            *storage.get_asset_check_execution_history(check, limit=1, status=done),
        ]
        return {record.run_id for record in newest}
