"""The server's own starts of jobs: those that schedules ask for, and further attempts whose pause is over."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.attempts import OPEN
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.schedules import Schedule
from lakehouse.embedded.airbyte.store import Row, Store

if TYPE_CHECKING:
    from lakehouse.embedded.airbyte.operations.jobs import Jobs
    from lakehouse.embedded.airbyte.scheduler import Scheduler

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 10_000, 15 * 60_000
_DUE = """
SELECT s.* FROM schedules s JOIN connections c ON c.id = s.connection_id
WHERE c.status = 'active' AND s.next_at <= ?
"""


class Timetable:
    """Looks several times a second what is due; a look costs a fraction of a millisecond."""

    def __init__(self, store: Store, jobs: Jobs, scheduler: Scheduler) -> None:
        self._store = store
        self._jobs = jobs
        self._scheduler = scheduler

    async def run(self) -> None:
        """Goes on until it is cancelled; what goes wrong in one look is logged and looked at again."""
        while True:
            try:
                await self.look()
            except Exception:
                logger.exception("the timetable could not be followed")
            await asyncio.sleep(TICK_SECONDS)

    async def look(self) -> None:
        """Starts what is due now."""
        for row in self._store.rows(_DUE, epoch_ms()):
            await self._fire(row, Schedule.of_row(row))
        await self._scheduler.dispatch()

    async def _fire(self, row: Row, schedule: Schedule) -> None:
        connection_id, now = row["connection_id"], epoch_ms()
        latest = self._store.rows(
            "SELECT status, ended_at FROM jobs WHERE connection_id = ? ORDER BY id DESC LIMIT 12",
            connection_id,
        )
        if latest and latest[0]["status"] in OPEN:
            if schedule.is_cron and not schedule.is_continuous:
                self._set_next(
                    connection_id, schedule.next_after(now)
                )  # one at a time: this fire is left out
            return
        resumes = _resumes_at(latest)
        if resumes > now:
            self._set_next(connection_id, resumes)
            return
        self._set_next(connection_id, schedule.next_after(now))
        connection = self._store.row("SELECT * FROM connections WHERE id = ?", connection_id)
        if connection is None:
            return
        try:
            await self._jobs.start(connection)
        except ApiError as refused:
            logger.warning("schedule of connection %s: %s", connection["name"], refused)

    def _set_next(self, connection_id: str, at_ms: int) -> None:
        self._store.execute("UPDATE schedules SET next_at = ? WHERE connection_id = ?", at_ms, connection_id)


def _resumes_at(latest: list[Row]) -> int:
    """When a connection may be started again, after as many failures in a row as its latest jobs show."""
    failures = next((i for i, job in enumerate(latest) if job["status"] != "failed"), len(latest))
    if failures == 0:
        return 0
    return int(latest[0]["ended_at"]) + min(_FIRST_PAUSE_MS * 2 ** (failures - 1), _LONGEST_PAUSE_MS)
