"""One night of the batch, known from its runs alone: a daemon that restarts at any moment finds it as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster import RunsFilter

NIGHT, STAGE, WORK = "lakehouse/nightly", "lakehouse/stage", "lakehouse/work"
"""Tags of every run of the batch: the date it began on, the stage, and what of it the run is to do."""


@dataclass(frozen=True)
class Night:
    """The batch of one date."""

    date: date
    zone: ZoneInfo

    @classmethod
    def of(cls, now: datetime, first: time, zone: ZoneInfo) -> Night:
        """The newest one that may have begun: from the hour of the first stage until that hour of the next day."""
        local = now.astimezone(zone)
        return cls(local.date() if local.time() >= first else local.date() - timedelta(days=1), zone)

    def at(self, clock: time) -> datetime:
        """That hour of the night."""
        return datetime.combine(self.date, clock, self.zone)


@dataclass(frozen=True)
class StageRuns:
    """The runs of a stage: of each work the newest, since a run that failed may be done again by a person."""

    runs: tuple[dg.DagsterRun, ...] = ()

    @property
    def at_work(self) -> list[dg.DagsterRun]:
        return [run for run in self.runs if not run.is_finished]

    @property
    def failed(self) -> list[dg.DagsterRun]:
        return [run for run in self.runs if run.is_finished and not run.is_success]

    @property
    def succeeded(self) -> list[dg.DagsterRun]:
        return [run for run in self.runs if run.is_success]


def runs_of(instance: dg.DagsterInstance, night: Night) -> dict[str, StageRuns]:
    """The runs of the night by their stages."""
    found = instance.get_runs(RunsFilter(tags={NIGHT: night.date.isoformat()}))
    return {name: _newest(run for run in found if run.tags.get(STAGE) == name) for name in _stages(found)}


def has_run_before(instance: dg.DagsterInstance, stages: Iterable[str]) -> bool:
    """Whether a batch of these stages ever ran here."""
    return bool(instance.get_run_ids(RunsFilter(tags={STAGE: list(stages)}), limit=1))


def _stages(runs: Iterable[dg.DagsterRun]) -> set[str]:
    return {run.tags[STAGE] for run in runs if STAGE in run.tags}


def _newest(newest_first: Iterable[dg.DagsterRun]) -> StageRuns:
    by_work: dict[str, dg.DagsterRun] = {}
    for run in newest_first:
        by_work.setdefault(run.tags.get(WORK, run.run_id), run)
    return StageRuns(tuple(by_work.values()))
