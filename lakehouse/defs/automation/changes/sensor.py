"""A sensor for every connection: it has built what landed, and only the days that changes touched."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.automation.changes.check import CHANGES_BUILT, changes_check, facts_of
from lakehouse.defs.automation.changes.look import Found, look
from lakehouse.defs.automation.changes.phases import phases
from lakehouse.defs.automation.changes.reach import downstream
from lakehouse.defs.automation.changes.runs import newest_runs, request
from lakehouse.defs.automation.changes.state import State
from lakehouse.defs.automation.changes.tick import tick
from lakehouse.defs.automation.environments import runs_here
from lakehouse.defs.automation.plan import nodes_in
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource

SECONDS = 2
_MOST_NAMED = 20


@dg.definitions
def defs() -> dg.Definitions:
    """A sensor and a check for every connection that fills a bronze table."""
    tables: dict[str, list[BronzeTable]] = {}
    for table in declared_datasets().bronze:
        tables.setdefault(table.connection, []).append(table)
    return dg.Definitions(
        sensors=[changes_sensor(name, of) for name, of in tables.items()],
        asset_checks=[changes_check(name, _landing(of)) for name, of in tables.items()],
    )


def changes_sensor(connection: str, tables: Sequence[BronzeTable]) -> dg.SensorDefinition:
    """Asks for runs over what landed by the connection and is not built; stopping it pauses the connection's builds.

    The lake's own watermark says what bronze has of landing; the cursor says how far bronze's events are built
    downstream, and moves only when runs have succeeded.
    """
    bronze = [dg.AssetKey(table.key) for table in tables]

    @dg.sensor(
        name=f"changes_{connection}",
        description=f"Builds what connection {connection} landed: the days that changes touched, from bronze on.",
        asset_selection=dg.AssetSelection.assets(*bronze).downstream(),
        minimum_interval_seconds=SECONDS,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if runs_here("changes") else dg.DefaultSensorStatus.STOPPED
        ),
    )
    def build_changes(context: dg.SensorEvaluationContext, lakehouse: LakehouseResource) -> dg.SensorResult:
        repository = context.repository_def
        if repository is None:
            raise dg.DagsterInvariantViolationError("a sensor of changes needs its repository")
        nodes = downstream(nodes_in(repository.asset_graph), bronze)
        instance = context.instance

        def find(built: int | None) -> Found:
            return look(instance, lakehouse.settings, tables, nodes, built)

        done = tick(
            State.read(context.cursor),
            runs=lambda batch: newest_runs(instance, batch),
            look=find,
            plan=lambda found: phases(nodes, found.wanted),
            now=time.time(),
        )
        batch = done.state.batch
        told = {"lakehouse/objects": _named(done.objects)} if done.objects else {}
        return dg.SensorResult(
            run_requests=[request(connection, batch, at, nodes, told=told) for at in done.asked]
            if batch
            else [],
            cursor=done.state.text,
            asset_events=list(_verdicts(instance, _landing(tables), done.verdict)),
            skip_reason=done.said if not done.asked else None,
        )

    return build_changes


def _landing(tables: Iterable[BronzeTable]) -> list[dg.AssetKey]:
    return [dg.AssetKey(table.landing_key) for table in tables]


def _named(objects: Sequence[str]) -> str:
    more = len(objects) - _MOST_NAMED
    return ", ".join(objects[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _verdicts(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], why: str | None
) -> Iterable[dg.AssetCheckEvaluation]:
    """What is to be told of the check: its outcome, where it is another one than before."""
    if why is None:
        return
    facts = facts_of(why)
    for key in keys:
        if _passed(instance, key) != facts["passed"]:
            yield dg.AssetCheckEvaluation(asset_key=key, check_name=CHANGES_BUILT, **facts)


def _passed(instance: dg.DagsterInstance, key: dg.AssetKey) -> bool | None:
    record = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(key, CHANGES_BUILT))
    event = record.event.dagster_event if record and record.event else None
    result = event.event_specific_data if event else None
    return result.passed if isinstance(result, dg.AssetCheckEvaluation) else None
