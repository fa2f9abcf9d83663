"""What the platform knows of itself: of the metadata database, of Dagster, and of Dremio's own tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse.catalog.meta import PlatformRecords
from lakehouse.defs.automation.why import why
from lakehouse.defs.declared_graph import graph_of
from lakehouse.defs.monitoring.freshness_state import freshness_of
from lakehouse.defs.policies import freshness_policy
from lakehouse.defs.project import declared_datasets
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from dagster._core.storage.dagster_run import RunRecord

Row = Mapping[str, Any]

HISTORY = timedelta(days=90)
_MOST_RUNS = 20_000
_STATES = {"PASS": "fresh", "WARN": "aging", "FAIL": "stale", "UNKNOWN": "never made"}


def records_of(records: PlatformRecords, settings: Settings, instance: dg.DagsterInstance) -> Sequence[Row]:
    """The rows of one kind as of now; times are in UTC.

    Raises:
        LakehouseError: the metadata database or Dremio does not answer.
    """
    match records:
        case "syncs":
            return syncs(settings)
        case "runs":
            return runs(instance)
        case "freshness":
            return freshness(instance)
        case "reflections":
            return reflections(settings, instance)


def syncs(settings: Settings) -> list[Row]:
    """Jobs of Airbyte's that ended in the last ninety days."""
    import sqlalchemy as sa

    from lakehouse.observability.metadata.database import metadata_database
    from lakehouse.observability.metadata.tables import sync_history

    query = sa.select(sync_history).where(sync_history.c.started >= datetime.now(UTC) - HISTORY)
    with metadata_database(settings).transaction() as connection:
        found = connection.execute(query.order_by(sync_history.c.started)).all()
    return [
        {
            "connection": row.connection,
            "job_id": row.job_id,
            "started": row.started,
            "ended": row.ended,
            "seconds": (row.ended - row.started).total_seconds() if row.ended else None,
            "status": row.status,
            "failed": int(row.status != "succeeded"),
            "records_synced": row.rows,
            "bytes_synced": row.bytes,
            "failure": row.failure,
        }
        for row in found
    ]


def runs(instance: dg.DagsterInstance) -> list[Row]:
    """Dagster's runs that began in the last ninety days and have ended, of which the newest twenty thousand."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    wanted = dg.RunsFilter(statuses=ended, created_after=datetime.now(UTC) - HISTORY)
    return [_run(record) for record in instance.get_run_records(wanted, limit=_MOST_RUNS)]


def _run(record: RunRecord) -> Row:
    run, began, ended = record.dagster_run, record.start_time, record.end_time
    return {
        "run_id": run.run_id,
        "job": run.job_name,
        "why": why(run),
        "status": run.status.value.lower(),
        "failed": int(run.status == dg.DagsterRunStatus.FAILURE),
        "created": record.create_timestamp.replace(tzinfo=UTC),
        "started": datetime.fromtimestamp(began, UTC) if began else None,
        "ended": datetime.fromtimestamp(ended, UTC) if ended else None,
        "seconds": round(ended - began, 3) if began and ended else None,
    }


def freshness(instance: dg.DagsterInstance) -> list[Row]:
    """Every declared dataset, how fresh it is and how old it may get."""
    now = datetime.now(UTC)
    datasets = {
        dg.AssetKey(key.split("/")): found for key, found in graph_of(declared_datasets()).datasets.items()
    }
    policies = {key: freshness_policy(dataset.promised) for key, dataset in datasets.items()}
    return [
        {
            "dataset": datasets[key].key,
            "layer": datasets[key].layer,
            "owner": datasets[key].owner,
            "state": _STATES[state.state],
            "made_at": state.made_at,
            "age_hours": _hours(now - state.made_at) if state.made_at else None,
            "promised_hours": _hours(datasets[key].promised.fail_after),
            "looked_at": now,
        }
        for key, state in freshness_of(instance, policies, now).items()
    ]


def _hours(duration: timedelta) -> float:
    return round(duration.total_seconds() / 3600, 3)


def reflections(settings: Settings, instance: dg.DagsterInstance) -> list[Row]:
    """Every declared reflection, as it was last refreshed, and what it answered of a day's newest thousand jobs."""
    from lakehouse.observability.warehouse import MOST_JOBS, Warehouse

    declared = {
        dg.AssetKey(model.reflection_key(reflection)): (model, reflection)
        for model in declared_datasets().models
        for reflection in model.reflections
    }
    uses = Warehouse(settings.dremio, MOST_JOBS).look().uses  # all at once: there is no next look
    events = instance.get_latest_materialization_events(list(declared))
    found: list[Row] = []
    for key, (model, reflection) in declared.items():
        event = events.get(key)
        made = event.asset_materialization if event else None
        told = {name: value.value for name, value in made.metadata.items()} if made else {}
        use = uses.get(str(told.get("dremio/reflection_id")))
        found.append(
            {
                "reflection": reflection.name,
                "dataset": str(model.relation),
                "status": told.get("dremio/status"),
                "row_count": told.get("dagster/row_count"),
                "bytes": told.get("bytes"),
                "refreshed": datetime.fromtimestamp(event.timestamp, UTC) if event else None,
                "refresh_seconds": told.get("seconds"),
                "used": use.times if use else 0,
                "saved_seconds": use.saved_seconds if use else None,
            }
        )
    return found
