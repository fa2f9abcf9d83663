"""The schedules of the tiers: each syncs the connections of the tables that declare it."""

import dagster as dg

from lakehouse.catalog.datasets import landing_key
from lakehouse.catalog.meta import Tier
from lakehouse.defs.automation.environments import here
from lakehouse.defs.automation.tiers import CRON, tiers
from lakehouse.defs.automation.why import WHY, Why
from lakehouse.defs.ingestion.declaration import Connection, connection_of
from lakehouse.defs.ingestion.sensor import run_at_work
from lakehouse.defs.project import declared_datasets


@dg.definitions
def defs() -> dg.Definitions:
    """Those that this environment names and a table declares; what a sync lands, other automation takes further."""
    environment, found = here(), tiers(declared_datasets().bronze)
    schedules = []
    for tier in CRON:
        names = [name for name, declared in found.items() if declared == tier]
        connections = [connection for name in names if (connection := connection_of(name))]
        if connections and environment.runs(tier):
            schedules.append(tier_schedule(tier, connections, environment.timezone))
    return dg.Definitions(schedules=schedules)


def tier_schedule(tier: Tier, connections: list[Connection], timezone: str) -> dg.ScheduleDefinition:
    """A run a connection and tick; a connection that still syncs is left alone."""
    keys = {
        connection.name: [
            dg.AssetKey(landing_key(connection.namespace, stream.name)) for stream in connection.streams
        ]
        for connection in connections
    }
    every = [key for streams in keys.values() for key in streams]

    @dg.schedule(
        name=tier,
        cron_schedule=CRON[tier],
        execution_timezone=timezone,
        target=dg.AssetSelection.assets(*every),
        description=f"Syncs {', '.join(keys)}, of which a table declares this tier.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def sync(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        idle = [each for each in connections if not run_at_work(context.instance, each, set(keys[each.name]))]
        if not idle:
            return dg.SkipReason(f"at work still: {', '.join(keys)}")
        tick = f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M%z}"
        return [
            dg.RunRequest(
                run_key=f"{tier}/{each.name}/{tick}",
                asset_selection=keys[each.name],
                tags={WHY: str(Why.SCHEDULE)},
            )
            for each in idle
        ]

    return sync
