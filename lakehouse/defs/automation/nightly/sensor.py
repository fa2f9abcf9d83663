"""The sensor that goes on with the nightly batch, and the asset whose checks tell how it went."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from lakehouse.defs.automation.environments import Environment, here
from lakehouse.defs.automation.nightly.declaration import Batch, declared_batch
from lakehouse.defs.automation.nightly.judge import BATCH, DONE, check_of, judge
from lakehouse.defs.automation.nightly.night import Night, runs_of

SECONDS = 30


@dg.definitions
def defs() -> dg.Definitions:
    """Nothing where the environment does not name the nightly batch."""
    environment = here()
    return nightly(declared_batch(), environment) if environment.runs("nightly") else dg.Definitions()


def nightly(batch: Batch, environment: Environment) -> dg.Definitions:
    """The batch in that environment."""
    last = batch.stages[-1]
    asset = dg.AssetSpec(
        BATCH,
        group_name="nightly",
        owners=["team:data"],
        description=f"The nightly batch: {', '.join(stage.name for stage in batch.stages)}.",
    )

    @dg.multi_asset_check(
        name="check_nightly_batch",
        specs=[
            *(
                dg.AssetCheckSpec(
                    check_of(stage.name),
                    asset=BATCH,
                    description=f"Begins at {stage.begin:%H:%M} {environment.timezone}, ends within {stage.budget}.",
                )
                for stage in batch.stages
            ),
            dg.AssetCheckSpec(
                DONE, asset=BATCH, description=f"{last.name} has ended by {batch.done_by:%H:%M}."
            ),
        ],
        can_subset=True,
    )
    def check_batch(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        now = datetime.now(UTC)
        night = Night.of(now, batch.stages[0].begin, environment.zone)
        runs = runs_of(context.instance, night)
        begun = [at for at, stage in enumerate(batch.stages) if stage.name in runs]
        found = {verdict.check: verdict for verdict in judge(batch, night, runs, max(begun, default=0), now)}
        for key in context.selected_asset_check_keys:
            verdict = found.get(key.name)
            yield dg.AssetCheckResult(
                asset_key=BATCH,
                check_name=key.name,
                passed=verdict.passed if verdict else True,
                severity=verdict.severity if verdict else dg.AssetCheckSeverity.ERROR,
                description=verdict.told
                if verdict
                else f"nothing is late by {now.astimezone(night.zone):%H:%M}",
            )

    @dg.sensor(
        name="nightly",
        description="Begins the stages of the nightly batch, each at its hour or when the one before it has ended.",
        # Not `target`, which makes one job of them: that holds a single kind of partitions.
        asset_selection=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def go_on(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from lakehouse.defs.automation.nightly.advance import advance

        repository = context.repository_def
        if repository is None:
            raise dg.DagsterInvariantViolationError("the nightly batch needs its repository")
        now = datetime.now(UTC)
        night = Night.of(now, batch.stages[0].begin, environment.zone)
        return advance(batch, night, repository.asset_graph, context.instance, now)

    return dg.Definitions(assets=[asset], asset_checks=[check_batch], sensors=[go_on])
