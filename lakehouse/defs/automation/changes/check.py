"""Whether what a connection landed gets built, as an asset check of every stream it lands."""

from collections.abc import Collection, Iterator
from typing import Any

import dagster as dg
from dagster import RunsFilter

from lakehouse.defs.automation.changes.runs import ATTEMPT, BATCH, CONNECTION
from lakehouse.defs.automation.changes.tick import MOST_ATTEMPTS

CHANGES_BUILT = "changes_are_built"


def changes_check(connection: str, keys: Collection[dg.AssetKey]) -> dg.AssetChecksDefinition:
    """Fails while the connection's newest changes were given up; the sensor of changes tells of it by itself."""

    @dg.multi_asset_check(
        name=f"check_changes_{connection}",
        specs=[
            dg.AssetCheckSpec(
                CHANGES_BUILT, asset=key, description="What landed was built, from bronze to the dashboards."
            )
            for key in keys
        ],
        can_subset=True,
    )
    def check_changes(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        facts = facts_of(given_up(context.instance, connection))
        for check in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(asset_key=check.asset_key, check_name=check.name, **facts)

    return check_changes


def given_up(instance: dg.DagsterInstance, connection: str) -> str:
    """Why the newest batch of the connection was given up; empty when it was not."""
    runs = instance.get_runs(RunsFilter(tags={CONNECTION: connection}), limit=1)
    if not runs or not runs[0].is_failure or int(runs[0].tags[ATTEMPT]) < MOST_ATTEMPTS:
        return ""
    run = runs[0]
    return (
        f"run {run.run_id} failed, attempt {run.tags[ATTEMPT]} of {MOST_ATTEMPTS} (batch {run.tags[BATCH]})"
    )


def facts_of(why: str) -> dict[str, Any]:
    """The fields of a check's result; `why` is empty when the changes were built."""
    remedy = (
        "read the run, mend the cause; it is tried again by itself, or at once with a `lakehouse refresh`"
    )
    return {"passed": not why, "description": f"{why}; {remedy}" if why else None}
