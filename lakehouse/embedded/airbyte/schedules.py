"""When the server starts syncs by itself: at an interval, by a cron expression, or all the time.

A connection without a row here is synced only when somebody asks. `next_at` is kept, so that a fire that a stopped
server missed happens once after its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.quartz import check_cron, next_fire
from lakehouse.embedded.airbyte.store import Row, Store

UNIT_MS = {
    "minutes": 60_000,
    "hours": 3_600_000,
    "days": 86_400_000,
    "weeks": 7 * 86_400_000,
    "months": 30 * 86_400_000,  # as Airbyte counts them
}
CONTINUOUS = "* * * * * ?"


@dataclass(frozen=True)
class Schedule:
    """Either `units` of `time_unit` between starts, or a Quartz expression in a time zone."""

    time_unit: str = ""
    units: int = 0
    cron_expression: str = ""
    time_zone: str = "UTC"

    @classmethod
    def of_cron(cls, expression: str, time_zone: str = "UTC") -> Schedule:
        """A cron schedule. Raises CronError."""
        check_cron(expression, time_zone)
        return cls(cron_expression=expression, time_zone=time_zone)

    @classmethod
    def of_row(cls, row: Row) -> Schedule:
        """A kept schedule."""
        return cls(**{name: row[name] for name in ("time_unit", "units", "cron_expression", "time_zone")})

    @property
    def is_cron(self) -> bool:
        """Whether it is a cron schedule."""
        return bool(self.cron_expression)

    @property
    def is_continuous(self) -> bool:
        """Whether a sync follows the other without a pause."""
        return self.cron_expression == CONTINUOUS

    def next_after(self, start_ms: int) -> int:
        """When the sync after the one that started at `start_ms` is due; epoch milliseconds."""
        if self.is_cron:
            return next_fire(self.cron_expression, self.time_zone, start_ms)
        return start_ms + self.units * UNIT_MS[self.time_unit]


def schedule_of(store: Store, connection_id: str) -> Schedule | None:
    """A connection's schedule, or None when it is manual."""
    row = store.row("SELECT * FROM schedules WHERE connection_id = ?", connection_id)
    return None if row is None else Schedule.of_row(row)


def set_schedule(store: Store, connection_id: str, schedule: Schedule | None) -> None:
    """Keep a connection's schedule; an interval begins at the last start, or now when there was none."""
    if schedule == schedule_of(store, connection_id):
        return
    store.execute("DELETE FROM schedules WHERE connection_id = ?", connection_id)
    if schedule is None:
        return
    kept: dict[str, Any] = {
        "connection_id": connection_id,
        "time_unit": schedule.time_unit,
        "units": schedule.units,
        "cron_expression": schedule.cron_expression,
        "time_zone": schedule.time_zone,
        "next_at": _first(store, connection_id, schedule),
    }
    store.insert("schedules", kept)


def _first(store: Store, connection_id: str, schedule: Schedule) -> int:
    if schedule.is_cron:
        return schedule.next_after(epoch_ms())
    latest = store.row("SELECT max(created_at) AS at FROM jobs WHERE connection_id = ?", connection_id)
    started = latest["at"] if latest else None
    return epoch_ms() if started is None else schedule.next_after(started)
