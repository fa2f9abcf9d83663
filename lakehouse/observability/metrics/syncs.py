"""What Airbyte's connections synced, from `sync_history` and from Airbyte itself."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metadata.tables import sync_history
from lakehouse.observability.metrics.metric import Metric
from lakehouse.observability.metrics.source import Reading, Source
from lakehouse.observability.metrics.totals import News, Observation, totals
from lakehouse.settings import Settings

_CONNECTION = ("connection",)
RECORDS = Metric(
    "airbyte_records_synced_total", "counter", "Records that syncs of a connection committed.", _CONNECTION
)
BYTES = Metric(
    "airbyte_bytes_synced_total", "counter", "Bytes that syncs of a connection committed.", _CONNECTION
)
DURATION = Metric(
    "airbyte_sync_duration_seconds",
    "histogram",
    "From the start of a sync to its end, however it ended.",
    _CONNECTION,
    (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200),
)
FAILURES = Metric("airbyte_sync_failures_total", "counter", "Syncs that did not succeed.", _CONNECTION)
SUCCEEDED = Metric(
    "airbyte_last_sync_succeeded",
    "gauge",
    "1 when the newest sync of a connection succeeded, else 0.",
    _CONNECTION,
)
ENDED = Metric(
    "airbyte_last_sync_timestamp_seconds", "gauge", "When the newest sync of a connection ended.", _CONNECTION
)
CONNECTIONS = Metric("airbyte_connections", "gauge", "Connections that Airbyte has, by status.", ("status",))

_TOTALS = (RECORDS, BYTES, DURATION, FAILURES)
_SUCCEEDED = "succeeded"
_SECONDS = 5.0


def syncs(database: MetadataDatabase) -> Source:
    """Syncs that have ended, whoever started them."""

    def read() -> Reading:
        return {
            **totals(database, "syncs", _TOTALS, lambda cursor: _news(database, cursor)),
            **_newest(database),
        }

    return Source("syncs", (*_TOTALS, SUCCEEDED, ENDED), read, timedelta(seconds=5))


def _news(database: MetadataDatabase, cursor: Any) -> News:
    """The syncs of each connection that began after the last one known: they are recorded in that order."""
    reached = {name: datetime.fromisoformat(at) for name, at in (cursor or {}).items()}
    table = sync_history.c
    later = [sa.and_(table.connection == name, table.started > at) for name, at in reached.items()]
    query = sa.select(sync_history).where(sa.or_(table.connection.not_in(list(reached)), *later))
    with database.transaction() as connection:
        rows = connection.execute(query.order_by(table.started)).all()
    observed: list[Observation] = []
    for row in rows:
        labels = (row.connection,)
        failed = row.status != _SUCCEEDED
        observed += [
            Observation(RECORDS, labels, row.rows),
            Observation(BYTES, labels, row.bytes),
            Observation(FAILURES, labels, float(failed)),
        ]
        if row.ended:
            observed.append(
                Observation(DURATION, labels, max(0.0, (row.ended - row.started).total_seconds()))
            )
        reached[row.connection] = row.started
    return News({name: at.isoformat() for name, at in reached.items()}, observed)


def _newest(database: MetadataDatabase) -> Reading:
    table = sync_history.c
    newest = (
        sa.select(table.connection, sa.func.max(table.started).label("started"))
        .group_by(table.connection)
        .subquery()
    )
    query = sa.select(table.connection, table.status, table.ended).join(
        newest, sa.and_(newest.c.connection == table.connection, newest.c.started == table.started)
    )
    with database.transaction() as connection:
        rows = connection.execute(query).all()
    return {
        SUCCEEDED: [((row.connection,), float(row.status == _SUCCEEDED)) for row in rows],
        ENDED: [((row.connection,), row.ended.timestamp()) for row in rows if row.ended],
    }


def airbyte(settings: Settings) -> Source:
    """Airbyte's public API."""

    def read() -> Reading:
        from lakehouse.clients.airbyte import AirbyteClient

        with AirbyteClient(settings.airbyte, timeout=_SECONDS) as client:
            found = Counter(str(one.get("status")) for one in client.list("connections"))
        statuses = ("active", "inactive", *found)
        return {CONNECTIONS: [((status,), found[status]) for status in dict.fromkeys(statuses)]}

    return Source("airbyte", (CONNECTIONS,), read, timedelta(seconds=25))
