"""Rows of `sync_history` and `airbyte_state`, asked of Airbyte when something was synced.

Airbyte remembers its jobs, so what could not be written is written by the next look.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lakehouse.clients.airbyte import AirbyteClient, id_of
from lakehouse.defs.ingestion.landed import LANDING_JOBS
from lakehouse.observability.metadata.losses import not_stopping
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from lakehouse.clients.airbyte import Job
    from lakehouse.observability.metadata.database import MetadataDatabase


def record_syncs(settings: Settings, connection: str, warn: Callable[[str], None]) -> None:
    """Record the jobs of a connection that ended and are not recorded, whoever started them, and its newest state.

    What cannot be recorded is a warning. Of a connection that was never looked at, the newest hundred jobs.
    """
    from lakehouse.observability.metadata.database import metadata_database
    from lakehouse.observability.metadata.records import put
    from lakehouse.observability.metadata.tables import airbyte_state, sync_history

    otherwise = f"the syncs of connection {connection} are recorded after its next one"
    with not_stopping(warn, otherwise):
        database = metadata_database(settings)
        newest = _newest(database, connection)
        with AirbyteClient(settings.airbyte) as airbyte:
            id_ = id_of("connections", airbyte.connection(connection))
            ended = [job for job in airbyte.jobs(id_, newest) if job.finished and job.type in LANDING_JOBS]
            rows = [_row(airbyte, connection, job) for job in ended if newest is None or job.started > newest]
            state = airbyte.state(id_)
        with database.transaction() as told:
            put(told, sync_history, rows)
            if state is not None:
                now = datetime.now(UTC)
                put(told, airbyte_state, [{"connection_id": id_, "state": state, "updated_at": now}])


def _newest(database: MetadataDatabase, connection: str) -> datetime | None:
    """When the newest recorded job began."""
    import sqlalchemy as sa

    from lakehouse.observability.metadata.tables import sync_history

    query = sa.select(sa.func.max(sync_history.c.started)).where(sync_history.c.connection == connection)
    with database.transaction() as told:
        found: datetime | None = told.execute(query).scalar()
    return found


def _row(airbyte: AirbyteClient, connection: str, job: Job) -> dict[str, Any]:
    report = airbyte.job_report(job.id)
    return {
        "connection": connection,
        "job_id": job.id,
        "started": job.started,
        "ended": report.updated,
        "status": report.status,
        "rows": sum(stream.rows for stream in report.streams.values()),
        "bytes": sum(stream.bytes for stream in report.streams.values()),
        "failure": report.failure,
    }
