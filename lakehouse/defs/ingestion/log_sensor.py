"""Looks after the log that a database keeps for a connection, also while nothing syncs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import dagster as dg

from lakehouse.defs.ingestion.declaration import Connection, Source
from lakehouse.defs.ingestion.log_kept import LOG_KEPT, log_kept
from lakehouse.defs.resources import LakehouseResource

SECONDS = 600


def log_sensor(source: Source, connection: Connection, keys: Collection[dg.AssetKey]) -> dg.SensorDefinition:
    """Tells the check `log_kept` of every stream when its outcome is another one than before."""

    @dg.sensor(
        name=f"airbyte_{connection.name}_log_kept",
        description=f"Asks the database of connection {connection.name} how much log it keeps for it.",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def look_at_log(context: dg.SensorEvaluationContext, lakehouse: LakehouseResource) -> dg.SensorResult:
        facts = log_kept(lakehouse.settings, source, connection)
        events = [
            dg.AssetCheckEvaluation(asset_key=key, check_name=LOG_KEPT, **facts)
            for key in keys
            if _outcome(facts) != _newest(context.instance, key)
        ]
        told = facts.get("description") or "no more log is kept than the disk can bear"
        return dg.SensorResult(asset_events=events, skip_reason=told)

    return look_at_log


def _outcome(facts: dict[str, Any]) -> tuple[bool, dg.AssetCheckSeverity | None]:
    return facts["passed"], None if facts["passed"] else facts["severity"]


def _newest(
    instance: dg.DagsterInstance, key: dg.AssetKey
) -> tuple[bool, dg.AssetCheckSeverity | None] | None:
    record = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(key, LOG_KEPT))
    event = record.event.dagster_event if record and record.event else None
    result = event.event_specific_data if event else None
    if not isinstance(result, dg.AssetCheckEvaluation):
        return None
    return result.passed, None if result.passed else result.severity
