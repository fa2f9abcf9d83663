"""The runs of a batch: the tags that name them, and how far they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import RunsFilter

from lakehouse.defs.automation.changes.state import Batch, Build
from lakehouse.defs.automation.execute import RANGE_END, RANGE_START
from lakehouse.defs.automation.plan import Node
from lakehouse.defs.automation.why import WHY, Why

CONNECTION = "lakehouse/changes_of"
BATCH, PLACE, ATTEMPT = "lakehouse/batch", "lakehouse/batch_place", "lakehouse/attempt"
LAST = "lakehouse/batch_last"
"""The place of the run that ends the batch."""

Place = tuple[int, int]
"""Phase, and the run's place in it."""


def request(
    connection: str, batch: Batch, index: int, nodes: Mapping[dg.AssetKey, Node], *, told: Mapping[str, str]
) -> dg.RunRequest:
    """The run of one build of the batch's phase. Asked for twice, it is one run: its key names batch and attempt.

    Args:
        connection: whose changes they are.
        batch: the batch, at the phase to ask for.
        index: the build's place in the phase.
        nodes: the assets, whose ops are told the days to build.
        told: further tags.
    """
    build = batch.phases[batch.phase][index]
    place = f"{batch.phase}.{index}"
    tags = {
        WHY: Why.CHANGES,
        CONNECTION: connection,
        BATCH: batch.id,
        PLACE: place,
        ATTEMPT: str(batch.attempt),
        LAST: f"{len(batch.phases) - 1}.0",
        **told,
    }
    if build.window:
        tags |= {RANGE_START: build.window[0], RANGE_END: build.window[1]}
    ops = {node.batch for key in build.keys if (node := nodes[key]).partitions and node.batch}
    return dg.RunRequest(
        run_key=f"{connection}:{batch.id}:{place}:{batch.attempt}",
        asset_selection=build.keys,
        run_config={"ops": {op: {"config": {"days": list(build.days)}} for op in ops}} if build.days else {},
        tags=tags,
    )


def newest_runs(instance: dg.DagsterInstance, batch: Batch) -> dict[Place, dg.DagsterRun]:
    """The last attempt at every build of the batch."""
    found: dict[Place, dg.DagsterRun] = {}
    for run in instance.get_runs(RunsFilter(tags={BATCH: batch.id})):
        phase, _, index = run.tags[PLACE].partition(".")
        place = int(phase), int(index)
        if place not in found or _attempt(run) > _attempt(found[place]):
            found[place] = run
    return found


class Built:
    """What batches of a connection have built, by the runs that their tags name."""

    def __init__(self, instance: dg.DagsterInstance, connection: str, since: float) -> None:
        """Reads the runs that ended since then, in seconds since 1970."""
        wanted = RunsFilter(
            tags={CONNECTION: connection},
            statuses=[dg.DagsterRunStatus.SUCCESS],
            updated_after=datetime.fromtimestamp(since, UTC),
        )
        records = list(instance.get_run_records(wanted))
        tags = [record.dagster_run.tags for record in records]
        ended = {tag[BATCH] for tag in tags if tag[PLACE] == tag[LAST]}
        self._instance = instance
        self._records = [record for record in records if record.dagster_run.tags[BATCH] in ended]
        self._of_batches: dict[str, bool] = {}

    def after(self, run_id: str, day: str | None, at: float) -> bool | None:
        """Whether what is made of a change was built after it, by a batch that is built as a whole.

        Args:
            run_id: the run that made the change.
            day: the partition that changed; None for an asset without.
            at: when the event was written, in seconds since 1970.

        Returns:
            None when the change is no batch's, and not built by one.
        """
        if any(
            _covers(record.dagster_run, day)
            and (record.dagster_run.run_id == run_id or (record.start_time or 0.0) > at)
            for record in self._records
        ):
            return True
        if run_id not in self._of_batches:
            run = self._instance.get_run_by_id(run_id)
            self._of_batches[run_id] = run is not None and BATCH in run.tags
        return False if self._of_batches[run_id] else None


def _covers(run: dg.DagsterRun, day: str | None) -> bool:
    window = (run.tags[RANGE_START], run.tags[RANGE_END]) if RANGE_START in run.tags else None
    ops: Mapping[str, Any] = dict(run.run_config).get("ops", {})  # type: ignore[assignment]
    days = next((op["config"]["days"] for op in ops.values()), ())
    return Build((), window, tuple(days)).covers(day)


def failed(runs: Iterable[dg.DagsterRun]) -> list[dg.DagsterRun]:
    """Those that ended without success."""
    return [run for run in runs if run.is_finished and not run.is_success]


def _attempt(run: dg.DagsterRun) -> int:
    return int(run.tags[ATTEMPT])
