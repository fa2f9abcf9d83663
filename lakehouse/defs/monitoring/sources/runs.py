"""Runs that failed, until what they were to make is made after all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import dagster as dg
from dagster import DagsterEventType, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter
from pydantic import BaseModel

from lakehouse.defs.failures import failure_line
from lakehouse.defs.monitoring.look import Look
from lakehouse.defs.monitoring.sources.checks import sync_failed
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity

KEPT = "runs"
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
_PAGE = 200
_FIRST_LOOK = timedelta(days=1)
"""How far the first look goes back."""
_OVERLAP = timedelta(minutes=1)
"""Runs that end at one time may be written in another order."""
_WILL_RETRY = "dagster/will_retry"
_PARTITION = "dagster/partition"
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


class Failure(BaseModel):
    """A run that failed, and what of it is not made yet."""

    subject: str
    job: str
    assets: list[str]
    """Empty for a job that makes none."""
    days: tuple[str, str] | None
    """The first and the last partition of the run."""
    run: str
    why: str
    at: datetime


class _Kept(BaseModel):
    until: datetime
    """The end of the newest run that was read."""
    seen: list[str] = []
    """Runs that ended shortly before it."""
    failures: dict[str, Failure] = {}


def failed_runs(look: Look) -> Iterator[Alert]:
    """One alert for each job, set of assets and range of days that failed and was not made since.

    A later run of any job that makes an asset, and of a run over days one that covers them, mends it. The failures are
    kept: a look reads only the runs that ended since the one before.
    """
    kept = _Kept.model_validate(look.kept.get(KEPT) or {"until": look.now - _FIRST_LOOK})
    recent = list(_ended(look.instance, kept.until - _OVERLAP))
    for record in recent:
        if record.dagster_run.run_id not in kept.seen:
            _apply(look, record, kept.failures)
    known = {key.to_user_string() for key in look.assets}
    failures = {name: left for name, one in kept.failures.items() if (left := _of_graph(one, known, look))}
    until = max([kept.until, *(_at(record) for record in recent)])
    seen = [record.dagster_run.run_id for record in recent if _at(record) > until - _OVERLAP]
    look.kept[KEPT] = _Kept(until=until, seen=seen, failures=failures).model_dump(mode="json")
    for failure in failures.values():
        yield _alert(look, failure)


def _ended(instance: dg.DagsterInstance, after: datetime) -> Iterable[RunRecord]:
    """The runs that ended after that time, in that order.

    A run that ended long before, and was changed since (somebody gave it a tag), tells nothing new.
    """
    found: dict[str, RunRecord] = {}
    start = after.timestamp()
    while True:
        page = instance.get_run_records(
            RunsFilter(statuses=_ENDED, updated_after=after),
            limit=_PAGE,
            order_by="update_timestamp",
            ascending=True,
        )
        new = [record for record in page if record.dagster_run.run_id not in found]
        found |= {record.dagster_run.run_id: record for record in new}
        if len(page) < _PAGE or not new:
            return [record for record in found.values() if (record.end_time or start) >= start - 60]
        after = _at(page[-1]) - timedelta(microseconds=1)


def _at(record: RunRecord) -> datetime:
    return record.update_timestamp.replace(tzinfo=UTC)


def _apply(look: Look, record: RunRecord, failures: dict[str, Failure]) -> None:
    run = record.dagster_run
    assets = _assets(look.instance, run)
    days = _days(run.tags)
    if run.status is DagsterRunStatus.SUCCESS:
        for name, failure in list(failures.items()):
            left = set(failure.assets) - assets if _covers(days, failure.days) else set(failure.assets)
            if not left and (failure.assets or failure.job == run.job_name):
                del failures[name]
            else:
                failures[name] = failure.model_copy(update={"assets": sorted(left)})
    elif run.tags.get(_WILL_RETRY) != "true":
        name = _subject(run.job_name, assets, days)
        failures[name] = Failure(
            subject=name,
            job=run.job_name,
            assets=sorted(_not_made(look.instance, run, assets)),
            days=days,
            run=run.run_id,
            why=_why(look.instance, run.run_id),
            at=_at(record),
        )


def _assets(instance: dg.DagsterInstance, run: DagsterRun) -> set[str]:
    """What the run was to make; one that a command executed in its own process says so in its plan only."""
    if run.asset_selection:
        return {key.to_user_string() for key in run.asset_selection}
    if run.execution_plan_snapshot_id is None:
        return set()
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    steps = [step for step in plan.steps if step.key in plan.step_keys_to_execute]
    outputs = [output.properties for step in steps for output in step.outputs]
    return {
        output.asset_key.to_user_string()
        for output in outputs
        if output and output.asset_key and output.asset_check_key is None
    }


def _not_made(instance: dg.DagsterInstance, run: DagsterRun, assets: set[str]) -> set[str]:
    """What the run did not make before it failed; all of it when it made everything and failed all the same."""
    newest = instance.get_latest_materialization_events([dg.AssetKey.from_user_string(one) for one in assets])
    made = {key.to_user_string() for key, event in newest.items() if event and event.run_id == run.run_id}
    return assets - made or assets


def _subject(job: str, assets: set[str], days: tuple[str, str] | None) -> str:
    parts = [job] if not assets or not job.startswith("__") else []
    if len(assets) == 1:
        parts += assets
    elif assets and not parts:
        first, more = min(assets), len(assets) - 1
        parts += [first, f"+{more}-{sha256(','.join(sorted(assets)).encode()).hexdigest()[:6]}"]
    return "/".join([*parts, *([f"{days[0]}..{days[1]}"] if days else [])])


def _days(tags: Any) -> tuple[str, str] | None:
    if _RANGE[0] in tags and _RANGE[1] in tags:
        return tags[_RANGE[0]], tags[_RANGE[1]]
    return (tags[_PARTITION], tags[_PARTITION]) if _PARTITION in tags else None


def _covers(made: tuple[str, str] | None, failed: tuple[str, str] | None) -> bool:
    """Whether a run over some days made all those of another; ISO days and months compare as text."""
    return made is None or failed is None or (made[0] <= failed[0] and failed[1] <= made[1])


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    for event_type in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE):
        for record in instance.get_records_for_run(run_id, of_type=event_type, limit=1).records:
            event = record.event_log_entry.dagster_event
            if event is not None:
                return (
                    failure_line(event) if event.is_step_failure else " ".join((event.message or "").split())
                )
    return "nothing says why"


def _of_graph(failure: Failure, known: set[str], look: Look) -> Failure | None:
    """The failure without assets that the graph has no more; None when nothing is left of it."""
    if not failure.assets:
        return failure if look.repository.has_job(failure.job) else None
    left = [asset for asset in failure.assets if asset in known]
    return failure.model_copy(update={"assets": left}) if left else None


def _alert(look: Look, failure: Failure) -> Alert:
    keys = [dg.AssetKey.from_user_string(asset) for asset in failure.assets]
    days = f" over {failure.days[0]}..{failure.days[1]}" if failure.days else ""
    told = f"run {failure.run[:8]}{days}: {failure.why}"
    connections = {look.assets[key].connection for key in keys}
    if len(connections) == 1 and (connection := connections.pop()):
        return sync_failed(look, connection, told).model_copy(update={"starts_at": failure.at})
    what = ", ".join(failure.assets[:3]) + (" …" if len(failure.assets) > 3 else "")
    return Alert(
        name=AlertName.RUN_FAILED,
        subject=failure.subject,
        severity=Severity.CRITICAL,
        summary=f"{what or failure.job} was not made; {told}",
        starts_at=failure.at,
        **look.labels(keys),
    )
