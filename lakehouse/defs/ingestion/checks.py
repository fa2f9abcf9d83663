"""The asset checks of a connection's landed streams: asked of Airbyte when they run, never at load."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import dagster as dg

from lakehouse.defs.ingestion.declaration import Connection, Source
from lakehouse.defs.ingestion.drift import AS_DECLARED, drift_check, drift_facts
from lakehouse.defs.ingestion.last_sync import LAST_SYNC, last_sync_check, last_sync_facts
from lakehouse.defs.ingestion.log_kept import LOG_KEPT, log_kept, log_kept_check, reads_log
from lakehouse.defs.resources import LakehouseResource
from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings


def connection_checks(
    source: Source, connection: Connection, keys: Collection[dg.AssetKey]
) -> dg.AssetChecksDefinition:
    """Drift, the newest sync, and the log that is kept, each found out once and told of every stream.

    They run after a sync and can be run without one. What cannot be found out is a failed check that says why.
    """

    kinds = [drift_check, last_sync_check, *([log_kept_check] if reads_log(source) else [])]

    @dg.multi_asset_check(
        name=f"check_{connection.name}",
        specs=[check(key) for key in keys for check in kinds],
        can_subset=True,
    )
    def check_connection(
        context: dg.AssetCheckExecutionContext, lakehouse: LakehouseResource
    ) -> Iterator[dg.AssetCheckResult]:
        settings = lakehouse.settings
        looks: Mapping[str, Callable[[], dict[str, Any]]] = {
            AS_DECLARED: lambda: _drift(settings, source, connection),
            LAST_SYNC: lambda: _last_sync(settings, connection),
            LOG_KEPT: lambda: log_kept(settings, source, connection),
        }
        for name, look in looks.items():
            wanted = [check for check in context.selected_asset_check_keys if check.name == name]
            facts = _facts(look) if wanted else {}
            for check in wanted:
                yield dg.AssetCheckResult(asset_key=check.asset_key, check_name=name, **facts)

    return check_connection


def _facts(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return look()
    except LakehouseError as error:
        return {"passed": False, "description": str(error)}


def _drift(settings: Settings, source: Source, connection: Connection) -> dict[str, Any]:
    from lakehouse.defs.ingestion.apply import drift_of

    return drift_facts(drift_of(settings, source, connection))


def _last_sync(settings: Settings, connection: Connection) -> dict[str, Any]:
    from lakehouse.clients.airbyte import AirbyteClient, id_of
    from lakehouse.defs.ingestion.landed import LANDING_JOBS

    with AirbyteClient(settings.airbyte) as airbyte:
        jobs = airbyte.jobs(id_of("connections", airbyte.connection(connection.name)))
        ended = [job for job in jobs if job.type in LANDING_JOBS and job.finished]
        if not ended:
            return {"passed": False, "description": "Airbyte has ended no sync of this connection yet"}
        return last_sync_facts(airbyte.job_report(ended[-1].id))
