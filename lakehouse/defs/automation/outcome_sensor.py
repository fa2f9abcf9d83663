"""The sensor that records what became of every run, whoever started it."""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import RunsFilter

from lakehouse.defs.automation.outcomes import ENDED, record_missing
from lakehouse.defs.failures import as_failures
from lakehouse.defs.resources import LakehouseResource

_MOST_RUNS = 200
_OVERLAP = timedelta(seconds=10)
"""Runs that end at once may become visible out of order."""


@dg.sensor(
    name="partition_outcomes",
    description="Records in the metadata database what became of every asset and partition of runs that ended.",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def partition_outcomes(context: dg.SensorEvaluationContext, lakehouse: LakehouseResource) -> dg.SensorResult:
    """One tick; fails while the database is down, and the next one goes on where it stood."""
    from lakehouse.observability.metadata.database import metadata_database

    cursor = datetime.fromisoformat(json.loads(context.cursor)["updated"]) if context.cursor else None
    records = context.instance.get_run_records(
        RunsFilter(statuses=ENDED, updated_after=cursor - _OVERLAP if cursor else None),
        limit=_MOST_RUNS,
        order_by="update_timestamp",
        ascending=True,
    )
    with as_failures():
        database = metadata_database(lakehouse.settings)
        recorded = record_missing(context.instance, database, [r.dagster_run.run_id for r in records])
    newest = records[-1].update_timestamp if records else None
    reached = newest.replace(tzinfo=newest.tzinfo or UTC).isoformat() if newest else None
    return dg.SensorResult(
        cursor=json.dumps({"updated": reached}) if reached else context.cursor,
        skip_reason=f"recorded {recorded} runs" if recorded else "no run has ended",
    )


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(sensors=[partition_outcomes])
