"""One look at the night: how far the batch is, and what is to run next."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import dagster as dg

from lakehouse.defs.automation.nightly.declaration import Batch
from lakehouse.defs.automation.nightly.judge import judge, new_ones
from lakehouse.defs.automation.nightly.night import Night, StageRuns, has_run_before, runs_of
from lakehouse.defs.automation.nightly.work import assets_of, work_of


class _Step(NamedTuple):
    ended: int
    """How many stages have ended, from the first one on."""
    requests: list[dg.RunRequest]
    said: str
    """For people."""


def advance(
    batch: Batch, night: Night, graph: Any, instance: dg.DagsterInstance, now: datetime
) -> dg.SensorResult:
    """Go on with the night's batch, from what its runs tell.

    A night whose first stage could not begin by `done_by` is left out. One that has begun goes on however late it is,
    until the next one begins.
    """
    runs = runs_of(instance, night)
    if not runs and now > night.at(batch.done_by):
        step = _Step(0, [], f"the night of {night.date} is over, and its batch did not begin")
        if not has_run_before(instance, [stage.name for stage in batch.stages]):
            return dg.SensorResult(skip_reason=f"the first batch begins at {batch.stages[0].begin:%H:%M}")
    else:
        step = _next(batch, night, runs, graph=graph, instance=instance, now=now)
    return dg.SensorResult(
        run_requests=step.requests,
        asset_events=new_ones(instance, night, judge(batch, night, runs, step.ended, now)),
        skip_reason=None if step.requests else step.said,
    )


def _next(
    batch: Batch,
    night: Night,
    runs: dict[str, StageRuns],
    *,
    graph: Any,
    instance: dg.DagsterInstance,
    now: datetime,
) -> _Step:
    keys = assets_of(batch, graph)
    # A stage is begun when the one before it has ended: what changed there since is of no matter.
    begun = max((at for at, stage in enumerate(batch.stages) if stage.name in runs), default=0)
    for ended, stage in enumerate(batch.stages[begun:], start=begun):
        found = runs.get(stage.name, StageRuns())
        if found.at_work:
            return _Step(ended, [], f"stage {stage.name}: run {found.at_work[0].run_id} is at work")
        if found.failed:
            return _Step(ended, [], f"stopped: stage {stage.name}, run {found.failed[0].run_id} failed")
        if now < night.at(stage.begin):
            return _Step(ended, [], f"stage {stage.name} begins at {stage.begin:%H:%M}")
        work = work_of(stage, keys[stage.name], graph, instance, done=found.succeeded, now=now)
        if work:
            return _Step(ended, [each.request(night, stage) for each in work], "")
    return _Step(len(batch.stages), [], f"the batch of {night.date} is done")
