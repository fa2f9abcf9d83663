"""What a check found before, as its own evaluations tell.

They are the better history of a dataset than its materializations: there is one for each run, while a run of a year of
days has 365 materializations of which one knows the whole table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

_ENDED = {Status.SUCCEEDED, Status.FAILED}


@dataclass(frozen=True)
class Before:
    """An earlier evaluation."""

    passed: bool
    severity: dg.AssetCheckSeverity | None
    """None when it passed."""
    description: str | None
    metadata: dict[str, Any]
    """As plain values."""


def found_before(instance: dg.DagsterInstance, key: dg.AssetCheckKey, most: int) -> list[Before]:
    """The newest evaluations, newest first; what only was planned is none."""
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=most, status=_ENDED)
    events = (record.event.dagster_event for record in records if record.event)
    found = (event.event_specific_data for event in events if event)
    return [
        Before(
            result.passed,
            None if result.passed else result.severity,
            result.description,
            {name: value.value for name, value in result.metadata.items()},
        )
        for result in found
        if isinstance(result, dg.AssetCheckEvaluation)
    ]
