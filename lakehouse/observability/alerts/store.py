"""What must outlive the process: open alerts, notifications that no sink has yet, silences, and what sources keep.

It is in the metadata database, not in Dagster's key-value storage or a sensor's cursor: what a look finds and what has to
be told of it are one transaction here, so that a process that is killed between the two has done both or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lakehouse.observability.alerts.alert import Alert, Severity
from lakehouse.observability.alerts.notification import Notification
from lakehouse.observability.alerts.silence import Silence
from lakehouse.observability.alerts.transitions import Changes, Open
from lakehouse.observability.metadata.database import MetadataDatabase, metadata_database
from lakehouse.observability.metadata.tables import (
    alert_silences,
    kept_by_alerts,
    open_alerts,
    undelivered_notifications,
)
from lakehouse.settings import Settings


class AlertStore:
    """For one process that looks, and any number that list and silence.

    Every method raises TransientError when the database does not answer.
    """

    def __init__(self, database: MetadataDatabase) -> None:
        self._transaction = database.transaction

    def open(self) -> dict[str, Open]:
        """The alerts that fire, by key."""
        with self._transaction() as connection:
            return _open(connection)

    def undelivered(self) -> list[Notification]:
        """Oldest first."""
        table = undelivered_notifications
        with self._transaction() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.id)).all()
        return [
            Notification(row.id, row.sink, row.route, row.transition, Alert.model_validate(row.alert), row.at)
            for row in rows
        ]

    def kept(self) -> dict[str, Any]:
        """What sources wanted to find again."""
        with self._transaction() as connection:
            return {row.name: row.value for row in connection.execute(sa.select(kept_by_alerts))}

    def silences(self, now: datetime) -> list[Silence]:
        """Those that hold now."""
        table = alert_silences
        query = sa.select(table).where(table.c.until > now).order_by(table.c.pattern)
        with self._transaction() as connection:
            return [Silence(row.pattern, row.until) for row in connection.execute(query)]

    def silence(self, pattern: str, until: datetime) -> Silence:
        """Silence what fits the pattern; another time for the same pattern takes the place of the first."""
        with self._transaction() as connection:
            connection.execute(alert_silences.delete().where(alert_silences.c.pattern == pattern))
            connection.execute(alert_silences.insert().values(pattern=pattern, until=until))
        return Silence(pattern, until)

    def record(
        self, now: datetime, kept: Mapping[str, Any], changes: Callable[[Mapping[str, Open]], Changes]
    ) -> Changes:
        """Keep what a look found together with the notifications that are due for it, or neither."""
        with self._transaction() as connection:
            before = _open(connection)
            found = changes(before)
            changed = [one for one in found.open if before.get(one.alert.key) != one]
            gone = [*found.ended, *(one.alert.key for one in changed)]
            connection.execute(open_alerts.delete().where(open_alerts.c.key.in_(gone)))
            _insert(connection, open_alerts, [_row(one) for one in changed])
            notifications = [
                {
                    "sink": told.sink,
                    "route": told.route,
                    "transition": told.transition,
                    "alert": told.alert.model_dump(mode="json"),
                    "at": now,
                }
                for told in found.told
            ]
            _insert(connection, undelivered_notifications, notifications)
            connection.execute(kept_by_alerts.delete().where(kept_by_alerts.c.name.in_(list(kept))))
            _insert(connection, kept_by_alerts, [{"name": name, "value": kept[name]} for name in kept])
            connection.execute(alert_silences.delete().where(alert_silences.c.until <= now))
        return found

    def delivered(self, ids: Collection[int]) -> None:
        """A sink has these."""
        table = undelivered_notifications
        with self._transaction() as connection:
            connection.execute(table.delete().where(table.c.id.in_(ids)))


def alert_store(settings: Settings) -> AlertStore:
    """The store of these settings: SQLite in the home directory, Postgres elsewhere."""
    return AlertStore(metadata_database(settings))


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), rows)


def _open(connection: sa.Connection) -> dict[str, Open]:
    return {
        row.key: Open(
            row.source,
            Alert.model_validate(row.alert),
            {sink: Severity(severity) for sink, (severity, _) in row.told.items()},
            {sink: route for sink, (_, route) in row.told.items()},
        )
        for row in connection.execute(sa.select(open_alerts))
    }


def _row(one: Open) -> dict[str, Any]:
    return {
        "key": one.alert.key,
        "source": one.source,
        "alert": one.alert.model_dump(mode="json"),
        "told": {sink: (severity.value, one.routes[sink]) for sink, severity in one.told.items()},
    }
