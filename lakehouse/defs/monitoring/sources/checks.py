"""Asset checks whose newest outcome is a failure."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from lakehouse.defs.ingestion.last_sync import LAST_SYNC
from lakehouse.defs.monitoring.look import Look
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity

_SEVERITIES = {dg.AssetCheckSeverity.WARN: Severity.WARNING, dg.AssetCheckSeverity.ERROR: Severity.CRITICAL}


def failed_checks(look: Look) -> Iterator[Alert]:
    """One alert a check; the streams of a connection share one for its newest sync."""
    for key, result in _newest(look):
        if result.passed:
            continue
        asset = key.asset_key.to_user_string()
        connection = look.assets[key.asset_key].connection
        told = " ".join((result.description or "failed").split())
        if key.name == LAST_SYNC and connection:
            yield sync_failed(look, connection, told)
            continue
        yield Alert(
            name=AlertName.CHECK_FAILED,
            subject=f"{asset}/{key.name}",
            severity=_SEVERITIES[result.severity],
            summary=f"check {key.name} of {asset}: {told}",
            **look.labels([key.asset_key]),
        )


def sync_failed(look: Look, connection: str, told: str) -> Alert:
    """The alert of a connection, whoever started the sync and however it became known."""
    streams = [key for key, facts in look.assets.items() if facts.connection == connection]
    labels = look.labels(streams)
    return Alert(
        name=AlertName.SYNC_FAILED,
        subject=connection,
        severity=Severity.CRITICAL,
        summary=f"the newest sync of connection {connection} failed: {told}",
        **labels,
    )


def _newest(look: Look) -> Iterator[tuple[dg.AssetCheckKey, dg.AssetCheckEvaluation]]:
    """The newest outcome of each check that has one; a run that is about to check changes nothing."""
    storage = look.instance.event_log_storage
    keys = [key for facts in look.assets.values() for key in facts.checks]
    for key, newest in storage.get_latest_asset_check_execution_by_key(keys).items():
        if key.asset_key not in look.assets or key not in look.assets[key.asset_key].checks:
            continue
        record: AssetCheckExecutionRecord | None = newest
        if newest.status not in _WITH_OUTCOME:
            earlier = storage.get_asset_check_execution_history(key, limit=1, status=_WITH_OUTCOME)
            record = earlier[0] if earlier else None
        event = record.event.dagster_event if record and record.event else None
        result = event.event_specific_data if event else None
        if isinstance(result, dg.AssetCheckEvaluation):
            yield key, result


_WITH_OUTCOME = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
