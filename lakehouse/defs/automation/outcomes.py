"""What a run that has ended made of what it was to make, read from its events and kept in the metadata database.

Dagster itself tells of a partition only how the newest run went, and takes one whose check failed for made.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import DagsterEventType, DagsterRunStatus, RunsFilter

from lakehouse.defs.automation.why import why
from lakehouse.defs.metadata import CHANGED
from lakehouse.observability.metadata.losses import not_stopping
from lakehouse.observability.metadata.outcome import NO_PARTITION, Outcome, PartitionOutcome

if TYPE_CHECKING:
    from lakehouse.observability.metadata.database import MetadataDatabase

ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
LOOKED_BACK = 100
"""Runs; older ones that are missing are found by the sensor."""
_READ = {
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.STEP_START,
    DagsterEventType.STEP_FAILURE,
}
_ROWS = ("dagster/partition_row_count", "dagster/row_count", CHANGED)


def record_run(instance: dg.DagsterInstance, database: MetadataDatabase, run_id: str) -> None:
    """Record what became of one run; a database that is down is a warning on the run."""

    def warn(text: str) -> None:
        logging.getLogger(__name__).warning(text)
        if run := instance.get_run_by_id(run_id):
            instance.report_engine_event(f"WARNING: {text}", run)

    with not_stopping(warn, f"outcomes of run {run_id} are recorded once it answers"):
        record_missing(instance, database, [run_id])


def record_newest(instance: dg.DagsterInstance, database: MetadataDatabase) -> int:
    """Record the newest runs that have ended and are not recorded yet; gives how many.

    Raises:
        TransientError, PermanentError: as `MetadataDatabase.transaction` does.
    """
    records = instance.get_run_records(RunsFilter(statuses=ENDED), limit=LOOKED_BACK)
    return record_missing(instance, database, [record.dagster_run.run_id for record in records])


def record_missing(instance: dg.DagsterInstance, database: MetadataDatabase, run_ids: Sequence[str]) -> int:
    """Record those of the runs, which have ended, that are not recorded; gives how many.

    Raises:
        TransientError, PermanentError: as `MetadataDatabase.transaction` does.
    """
    from lakehouse.observability.metadata.outcomes import recorded_runs, write_outcomes

    with database.transaction() as connection:
        missing = [run_id for run_id in run_ids if run_id not in recorded_runs(connection, run_ids)]
    for run_id in missing:
        outcomes = list(outcomes_of(instance, run_id))
        with database.transaction() as connection:
            write_outcomes(connection, outcomes)
    return len(missing)


def outcomes_of(instance: dg.DagsterInstance, run_id: str) -> Iterator[PartitionOutcome]:
    """One for each asset and partition that the run was to make, or made besides."""
    record = instance.get_run_record_by_id(run_id)
    if record is None:
        return
    run, end = record.dagster_run, _moment(record.end_time)
    told = _Told.read(instance.all_logs(run_id, of_type=_READ))
    for asset, partition in {**told.planned, **told.made}:
        step = told.planned.get((asset, partition))
        began, made = told.begun.get(step or ""), told.made.get((asset, partition))
        yield PartitionOutcome(
            run_id=run_id,
            asset=asset,
            partition=partition,
            outcome=told.outcome(asset, made, began),
            started=began,
            ended=_moment(made.timestamp) if made else end or began or datetime.now(UTC),
            rows=_rows(made) if made else None,
            why=why(run),
        )


_Place = tuple[str, str]


@dataclass
class _Told:
    """What the events of a run tell."""

    planned: dict[_Place, str] = field(default_factory=dict)
    """The step that was to make it."""
    made: dict[_Place, dg.EventLogEntry] = field(default_factory=dict)
    begun: dict[str, datetime | None] = field(default_factory=dict)
    """When each step began."""
    failed: set[str] = field(default_factory=set)
    """The steps that failed."""
    wrong: dict[str, set[tuple[str, bool]]] = field(default_factory=dict)
    """Checks of error severity that failed, by asset: the step that checked, and whether it blocks."""

    @classmethod
    def read(cls, entries: Iterable[dg.EventLogEntry]) -> _Told:
        told = cls()
        for entry in entries:
            event = entry.get_dagster_event()
            step, key = event.step_key or "", event.asset_key
            if event.event_type == DagsterEventType.STEP_START:
                told.begun.setdefault(step, _moment(entry.timestamp))
            elif event.event_type == DagsterEventType.STEP_FAILURE:
                told.failed.add(step)
            elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
                told._note_check(event.asset_check_evaluation_data, step)
            elif key and event.event_type == DagsterEventType.ASSET_MATERIALIZATION:
                told.made[key.to_user_string(), event.partition or NO_PARTITION] = entry
            elif key:
                told._note_plan(key.to_user_string(), event, step)
        return told

    def outcome(self, asset: str, made: dg.EventLogEntry | None, began: datetime | None) -> Outcome:
        """A check that neither blocks nor fails its step only tells; the run took what was made for good.

        A dbt model whose test failed is built, and yet has no materialization.
        """
        if any(blocks or step in self.failed for step, blocks in self.wrong.get(asset, ())):
            return Outcome.CHECK_FAILED
        if made is None:
            return Outcome.FAILED if began else Outcome.LEFT
        return Outcome.MADE

    def _note_check(self, result: dg.AssetCheckEvaluation, step: str) -> None:
        if not result.passed and result.severity == dg.AssetCheckSeverity.ERROR:
            wrong = self.wrong.setdefault(result.asset_key.to_user_string(), set())
            wrong.add((step, bool(result.blocking)))

    def _note_plan(self, asset: str, event: dg.DagsterEvent, step: str) -> None:
        subset = event.partitions_subset
        partitions = subset.get_partition_keys() if subset else [event.partition or NO_PARTITION]
        self.planned |= {(asset, partition): step for partition in partitions}


def _rows(made: dg.EventLogEntry) -> int | None:
    metadata: Mapping[str, dg.MetadataValue[Any]] = (
        made.asset_materialization.metadata if made.asset_materialization else {}
    )
    found = next((metadata[name].value for name in _ROWS if name in metadata), None)
    return int(found) if found is not None else None


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
