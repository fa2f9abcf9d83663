"""The job `retention`, and its schedule in environments that name it."""

import dagster as dg

from lakehouse.defs.automation.environments import here, runs_here
from lakehouse.defs.automation.why import WHY, Why
from lakehouse.defs.resources import LakehouseResource
from lakehouse.errors import LakehouseError

NAME = "retention"


@dg.op(description="Removes old runs, logs, snapshots and files that nothing reads any more.")
def apply_retention(context: dg.OpExecutionContext, lakehouse: LakehouseResource) -> None:
    """What was removed is in the log; fails at the end when a kind could not be cleaned."""
    from lakehouse.defs.hygiene.apply import apply_retention as apply

    failed: list[str] = []
    for told in apply(lakehouse.settings, context.instance):
        if isinstance(told, LakehouseError):
            failed.append(str(told))
        else:
            size = f", {told.bytes} bytes" if told.bytes is not None else ""
            context.log.info(f"{told.what}: {told.count} removed{size} {told.note}".rstrip())
    if failed:
        raise dg.Failure("; ".join(failed), allow_retries=False)


@dg.job(name=NAME, description="What is old and read by nobody goes: docs/retention.md.")
def retention() -> None:
    apply_retention()


@dg.definitions
def defs() -> dg.Definitions:
    """The job everywhere; by itself it runs only where the environment names it."""
    if not runs_here(NAME):
        return dg.Definitions(jobs=[retention])
    schedule = dg.ScheduleDefinition(
        name=NAME,
        job=retention,
        cron_schedule="30 5 * * *",
        execution_timezone=here().timezone,
        tags={WHY: Why.SCHEDULE},
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[retention], schedules=[schedule])
