"""Which stages kept their time, as outcomes of asset checks: alerts follow from those that fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from lakehouse.defs.automation.nightly.declaration import Batch
from lakehouse.defs.automation.nightly.night import NIGHT, Night, StageRuns

BATCH = dg.AssetKey(["nightly", "batch"])
DONE = "batch_done_in_time"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check of a night."""

    check: str
    passed: bool
    told: str
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR

    def evaluation(self, night: Night) -> dg.AssetCheckEvaluation:
        return dg.AssetCheckEvaluation(
            asset_key=BATCH,
            check_name=self.check,
            passed=self.passed,
            severity=self.severity,
            description=self.told,
            metadata={NIGHT: night.date.isoformat()},
        )


def check_of(stage: str) -> str:
    """The name of the stage's check."""
    return f"{stage}_in_time"


def judge(
    batch: Batch, night: Night, runs: Mapping[str, StageRuns], ended: int, now: datetime
) -> Iterator[Verdict]:
    """The verdicts that can be given by now; `ended` counts the stages that have ended, from the first one on."""
    for stage in batch.stages[:ended]:
        yield Verdict(check_of(stage.name), passed=True, told=f"ended, night of {night.date}")
    late = f"the night of {night.date} is not done by {batch.done_by:%H:%M}"
    if ended == len(batch.stages):
        yield Verdict(DONE, passed=True, told=f"done, night of {night.date}")
        return
    stage = batch.stages[ended]
    found = runs.get(stage.name, StageRuns())
    if found.failed and not found.at_work:
        why = f"run {found.failed[0].run_id} failed: the batch stops here; mend the cause and re-execute the run"
        yield Verdict(check_of(stage.name), passed=False, told=why)
        late += f": stage {stage.name} failed"
    elif now > (due := night.at(stage.begin) + stage.budget):
        where = f"run {found.at_work[0].run_id} is at work" if found.at_work else "it is about to begin"
        told = f"not ended by {due:%H:%M}: {where}"
        yield Verdict(check_of(stage.name), passed=False, told=told, severity=dg.AssetCheckSeverity.WARN)
        late += f": stage {stage.name} is late"
    if now > night.at(batch.done_by):
        yield Verdict(DONE, passed=False, told=late)


def new_ones(
    instance: dg.DagsterInstance, night: Night, verdicts: Iterator[Verdict]
) -> list[dg.AssetCheckEvaluation]:
    """Those that were not told yet."""
    found = [verdict.evaluation(night) for verdict in verdicts]
    return [evaluation for evaluation in found if _outcome(evaluation) != _newest(instance, evaluation)]


def _outcome(evaluation: dg.AssetCheckEvaluation) -> tuple[object, ...]:
    told = evaluation.metadata.get(NIGHT)
    return evaluation.passed, evaluation.severity, evaluation.description, told and told.value


def _newest(instance: dg.DagsterInstance, of: dg.AssetCheckEvaluation) -> tuple[object, ...] | None:
    record = instance.get_latest_asset_check_evaluation_record(of.asset_check_key)
    event = record.event.dagster_event if record and record.event else None
    result = event.event_specific_data if event else None
    return _outcome(result) if isinstance(result, dg.AssetCheckEvaluation) else None
