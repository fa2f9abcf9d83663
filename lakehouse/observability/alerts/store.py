"""What must outlive the process: open alerts, notifications that no sink has yet, silences, and what sources keep.

SQLite in the home directory, not Dagster's key-value storage: what a look finds and what has to be told of it are one
transaction here, so that a process that is killed between the two has done both or neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from lakehouse.observability.alerts.alert import Alert, Severity
from lakehouse.observability.alerts.notification import Notification
from lakehouse.observability.alerts.silence import Silence
from lakehouse.observability.alerts.transitions import Changes, Open

_TABLES = sa.MetaData()
_OPEN = sa.Table(
    "open_alerts",
    _TABLES,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("source", sa.String, nullable=False),
    sa.Column("alert", sa.Text, nullable=False),
    sa.Column("told", sa.Text, nullable=False),
)
_UNDELIVERED = sa.Table(
    "undelivered",
    _TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sink", sa.String, nullable=False, index=True),
    sa.Column("route", sa.String, nullable=False),
    sa.Column("transition", sa.String, nullable=False),
    sa.Column("alert", sa.Text, nullable=False),
    sa.Column("at", sa.String, nullable=False),
    sqlite_autoincrement=True,
)
_SILENCES = sa.Table(
    "silences",
    _TABLES,
    sa.Column("pattern", sa.String, primary_key=True),
    sa.Column("until", sa.String, nullable=False),
)
_KEPT = sa.Table(
    "kept",
    _TABLES,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


class AlertStore:
    """One store, for one process that looks and any number that list and silence."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
        _TABLES.create_all(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    def open(self) -> dict[str, Open]:
        """The alerts that fire, by key."""
        with self._engine.connect() as connection:
            return {row.key: _open(row) for row in connection.execute(sa.select(_OPEN))}

    def undelivered(self) -> list[Notification]:
        """Oldest first."""
        with self._engine.connect() as connection:
            return [
                Notification(
                    row.id,
                    row.sink,
                    row.route,
                    row.transition,
                    Alert.model_validate_json(row.alert),
                    datetime.fromisoformat(row.at),
                )
                for row in connection.execute(sa.select(_UNDELIVERED).order_by(_UNDELIVERED.c.id))
            ]

    def kept(self) -> dict[str, Any]:
        """What sources wanted to find again."""
        with self._engine.connect() as connection:
            return {row.name: json.loads(row.value) for row in connection.execute(sa.select(_KEPT))}

    def silences(self, now: datetime) -> list[Silence]:
        """Those that hold now."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_SILENCES).order_by(_SILENCES.c.pattern))
            found = [Silence(row.pattern, datetime.fromisoformat(row.until)) for row in rows]
        return [silence for silence in found if silence.until > now]

    def silence(self, pattern: str, until: datetime) -> Silence:
        """Silence what fits the pattern; another time for the same pattern takes the place of the first."""
        made = Silence(pattern, until.astimezone(UTC))
        with self._engine.begin() as connection:
            connection.execute(_SILENCES.delete().where(_SILENCES.c.pattern == pattern))
            connection.execute(_SILENCES.insert().values(pattern=pattern, until=made.until.isoformat()))
        return made

    def record(
        self,
        now: datetime,
        kept: Mapping[str, Any],
        changes: Callable[[Mapping[str, Open]], Changes],
    ) -> Changes:
        """Keep what a look found together with the notifications that are due for it, or neither."""
        with self._engine.begin() as connection:
            connection.execute(
                _SILENCES.delete().where(_SILENCES.c.until <= now.isoformat())
            )  # takes the lock
            before = {row.key: _open(row) for row in connection.execute(sa.select(_OPEN))}
            found = changes(before)
            if found.ended:
                connection.execute(_OPEN.delete().where(_OPEN.c.key.in_(found.ended)))
            for one in found.open:
                if before.get(one.alert.key) != one:
                    connection.execute(_OPEN.delete().where(_OPEN.c.key == one.alert.key))
                    connection.execute(_OPEN.insert().values(_row(one)))
            for told in found.told:
                connection.execute(
                    _UNDELIVERED.insert().values(
                        sink=told.sink,
                        route=told.route,
                        transition=told.transition,
                        alert=told.alert.model_dump_json(),
                        at=now.isoformat(),
                    )
                )
            for name, value in kept.items():
                connection.execute(_KEPT.delete().where(_KEPT.c.name == name))
                connection.execute(_KEPT.insert().values(name=name, value=json.dumps(value)))
        return found

    def delivered(self, ids: Collection[int]) -> None:
        """A sink has these."""
        with self._engine.begin() as connection:
            connection.execute(_UNDELIVERED.delete().where(_UNDELIVERED.c.id.in_(ids)))


@contextmanager
def alert_store(home: Path) -> Iterator[AlertStore]:
    """The store of a home directory."""
    store = AlertStore(home / "alerts.db")
    try:
        yield store
    finally:
        store.close()


def _open(row: Any) -> Open:
    told = json.loads(row.told)
    return Open(
        row.source,
        Alert.model_validate_json(row.alert),
        {sink: Severity(severity) for sink, (severity, _) in told.items()},
        {sink: route for sink, (_, route) in told.items()},
    )


def _row(one: Open) -> dict[str, str]:
    told = {sink: (severity.value, one.routes[sink]) for sink, severity in one.told.items()}
    return {
        "key": one.alert.key,
        "source": one.source,
        "alert": one.alert.model_dump_json(),
        "told": json.dumps(told),
    }
