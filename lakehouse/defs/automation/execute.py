"""One run of chosen assets, in this process, into the instance whose history the UI shows."""

from __future__ import annotations

import socket
import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg
import psutil
from dagster import DagsterRunStatus, RunsFilter

from lakehouse.defs.automation.outcomes import record_run
from lakehouse.defs.automation.why import WHY, Why
from lakehouse.defs.failures import failure_line

if TYPE_CHECKING:
    from lakehouse.observability.metadata.database import MetadataDatabase

STARTED_BY = "lakehouse/started_by"
PROCESS = "lakehouse/process"
"""Host, process id, and when the process began: ids are used again."""
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    run_id: str
    succeeded: bool
    seconds: float
    failures: tuple[str, ...]
    """One line a failed step: its name and why."""
    failed_checks: tuple[str, ...]
    """One line a failed asset check, which does not fail the run: its asset, its name and why."""


class Runner:
    """Runs assets of one graph; who asked for it and why are tags of every run.

    What becomes of each asset and partition is recorded where there is a metadata database.
    """

    def __init__(
        self,
        defs: dg.Definitions,
        instance: dg.DagsterInstance,
        name: str,
        *,
        why: str = Why.REFRESH,
        metadata: MetadataDatabase | None = None,
    ) -> None:
        self.defs = defs
        self.instance = instance
        self.metadata = metadata
        self._name = name
        self._why = why

    @cached_property
    def _job(self) -> dg.JobDefinition:
        return self.defs.resolve_implicit_global_asset_job_def()

    def run(self, keys: Collection[dg.AssetKey], days: tuple[str, str] | None = None) -> RunResult:
        """Materialize the assets; `days` is the first and the last partition of the run."""
        tags = {STARTED_BY: self._name, PROCESS: this_process(), WHY: self._why}
        if days is not None:
            tags |= {RANGE_START: days[0], RANGE_END: days[1]}
        started = time.monotonic()
        result = self._job.execute_in_process(
            asset_selection=list(keys),
            instance=self.instance,
            tags=tags,
            run_config=_QUIET,
            raise_on_error=False,
        )
        seconds = time.monotonic() - started
        if self.metadata is not None:
            record_run(self.instance, self.metadata, result.run_id)
        return RunResult(result.run_id, result.success, seconds, _failures(result), failed_checks(result))

    def close_dead_runs(self) -> int:
        """Mark runs of a process of this machine that was killed as failed; nobody else would. Gives how many."""
        unfinished = RunsFilter(
            tags={STARTED_BY: self._name}, statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.STARTING]
        )
        dead = [run for run in self.instance.get_runs(unfinished) if not lives(run.tags.get(PROCESS, ""))]
        for run in dead:
            self.instance.report_run_failed(run, "the process that ran it was killed")
        return len(dead)


def this_process() -> str:
    """Host, process id, and when the process began."""
    me = psutil.Process()
    return f"{socket.gethostname()}:{me.pid}:{me.create_time():.2f}"


def lives(process: str) -> bool:
    """Whether the process that a tag names runs; one of another machine is taken to."""
    if not process:
        return False
    host, pid, began = process.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" == began
    except psutil.NoSuchProcess:
        return False


def failed_checks(result: dg.ExecuteInProcessResult) -> tuple[str, ...]:
    """One line a failed asset check; the assets of which one tells the same are on one line."""
    assets: dict[str, list[str]] = {}
    for check in result.get_asset_check_evaluations():
        if not check.passed:
            told = f"{check.check_name}: {check.description or 'failed'}"
            assets.setdefault(told, []).append(check.asset_key.to_user_string())
    return tuple(f"{', '.join(keys)}: {told}" for told, keys in assets.items())


def _failures(result: dg.ExecuteInProcessResult) -> tuple[str, ...]:
    return tuple(failure_line(event) for event in result.all_events if event.is_step_failure)
