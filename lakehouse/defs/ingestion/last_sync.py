"""Whether the newest sync of a connection succeeded, as an asset check of every stream it lands."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse.defs.ingestion.told import JOB, JOB_STARTED, moment_of

if TYPE_CHECKING:
    from lakehouse.clients.airbyte import JobReport

LAST_SYNC = "last_sync_succeeded"
_NEVER = datetime.min.replace(tzinfo=UTC)


def last_sync_check(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Every landed stream has one."""
    return dg.AssetCheckSpec(
        LAST_SYNC, asset=key, description="The newest sync of the connection succeeded, whoever started it."
    )


def last_sync_facts(job: JobReport) -> dict[str, Any]:
    """How a finished job ended, as the fields of a check's result."""
    failure = job.failure or "Airbyte gives no reason"
    failed = f"Airbyte job {job.job_id} {job.status}: {failure}"
    return {
        "passed": job.status == "succeeded",
        "description": None if job.status == "succeeded" else failed,
        "metadata": {JOB: job.job_id, "airbyte/job_status": job.status}
        | ({JOB_STARTED: dg.MetadataValue.timestamp(job.started)} if job.started else {})
        | ({"airbyte/failure": job.failure} if job.failure else {}),
    }


class LastSyncChecks:
    """The newest results of some streams, and those that follow them."""

    def __init__(self, instance: dg.DagsterInstance, keys: Collection[dg.AssetKey]) -> None:
        self._newest = {key: _newest(instance, key) for key in keys}

    def after(self, job: JobReport) -> Iterator[dg.AssetCheckEvaluation]:
        """The results that a finished job brings: of every failed one, and of the first good one after it.

        A job that is not newer than the one that a result names brings none.
        """
        facts = last_sync_facts(job)
        place = (job.started or _NEVER, job.job_id)
        for key, (passed, told) in self._newest.items():
            if place > told and not (passed and facts["passed"]):
                self._newest[key] = (facts["passed"], place)
                yield dg.AssetCheckEvaluation(asset_key=key, check_name=LAST_SYNC, **facts)


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> tuple[bool, tuple[datetime, int]]:
    """Whether the newest result passed, and the job that it names: when it was made, and its number."""
    record = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(key, LAST_SYNC))
    event = record.event.dagster_event if record and record.event else None
    result = event.event_specific_data if event else None
    if not isinstance(result, dg.AssetCheckEvaluation):  # a run meant to check and did not
        return False, (_NEVER, 0)
    metadata = result.metadata
    if JOB_STARTED not in metadata:
        return result.passed, (_NEVER, 0)
    return result.passed, (moment_of(metadata, JOB_STARTED), int(str(metadata[JOB].value)))
