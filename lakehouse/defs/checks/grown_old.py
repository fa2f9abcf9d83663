"""Looks again at what time alone makes fail, while nothing is materialized and no check runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from lakehouse.defs.checks.kinds import KINDS, facts_of
from lakehouse.defs.checks.look import Dataset, Kind, Look, looking
from lakehouse.defs.resources import LakehouseResource

SENSOR, SECONDS = "data_grown_old", 600


def grown_old_sensor(datasets: Sequence[Dataset]) -> dg.SensorDefinition:
    """Tells these checks when their outcome is another one than before; it starts nothing."""
    looked_at = [(d, kind) for d in datasets for kind in KINDS if kind.grows_old and kind.applies(d)]

    @dg.sensor(
        name=SENSOR,
        description="Whether the newest data, and the newest change that is merged, are still new enough.",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def look_again(context: dg.SensorEvaluationContext, lakehouse: LakehouseResource) -> dg.SensorResult:
        with looking(lakehouse.settings, context.instance, None) as look:
            events = [event for dataset, kind in looked_at for event in _told(dataset, kind, look)]
        failed = [event.asset_key.to_user_string() for event in events if not event.passed]
        reason = (
            f"too old by now: {', '.join(failed)}" if failed else "nothing grew too old since the last look"
        )
        return dg.SensorResult(asset_events=events, skip_reason=reason)

    return look_again


def _told(dataset: Dataset, kind: Kind, look: Look) -> Iterator[dg.AssetCheckEvaluation]:
    before = look.before(dataset, kind.name)
    if not before:
        return  # never materialized: there is nothing that could grow old
    facts = facts_of(dataset, kind, look)
    if kind.remembers or _outcome(facts) != (before[0].passed, before[0].severity):
        yield dg.AssetCheckEvaluation(asset_key=dg.AssetKey(dataset.key), check_name=kind.name, **facts)


def _outcome(facts: dict[str, Any]) -> tuple[bool, dg.AssetCheckSeverity | None]:
    passed = facts["passed"]
    return passed, None if passed else facts.get("severity", dg.AssetCheckSeverity.ERROR)
