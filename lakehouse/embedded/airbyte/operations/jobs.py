"""Jobs: started at most once a connection, followed, cancelled."""

from __future__ import annotations

import sqlite3

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.operations.lookup import found
from lakehouse.embedded.airbyte.scheduler import Scheduler
from lakehouse.embedded.airbyte.store import Row, Store

_LOG_LINES = 200
_STREAMS = """
SELECT s.*, (SELECT count(*) FROM landing_files f WHERE f.job_id = s.job_id AND f.namespace = s.namespace
             AND f.stream = s.name AND f.committed = 1) AS files
FROM job_streams s WHERE s.job_id = ? ORDER BY s.rowid
"""


class Jobs:
    """Sync jobs of connections."""

    def __init__(self, store: Store, scheduler: Scheduler) -> None:
        self._store = store
        self._scheduler = scheduler

    def get(self, job_id: int) -> Row:
        """The job of an id, or 404."""
        return found(self._store.job(job_id), "job", job_id)

    def streams(self, job: Row) -> list[Row]:
        """Figures of a job's streams, with how many files each has committed."""
        return self._store.rows(_STREAMS, job["id"])

    def log_lines(self, job: Row) -> list[str]:
        """The end of a job's log."""
        path = self._scheduler.log_path(job["id"])
        return path.read_text(errors="replace").splitlines()[-_LOG_LINES:] if path.exists() else []

    async def start(self, connection: Row) -> Row:
        """Queue a sync; 409 while another job of the connection has not ended."""
        if connection["status"] != "active":
            raise ApiError(400, f"connection {connection['name']} is inactive; set its status to active")
        now = epoch_ms()
        job = {
            "connection_id": connection["id"],
            "workspace_id": connection["workspace_id"],
            "destination_id": connection["destination_id"],
            "type": "sync",
            "status": "pending",
            "created_at": now,
            "updated_at": now,
        }
        try:
            job_id = self._store.insert("jobs", job)
        except sqlite3.IntegrityError as error:
            raise ApiError(409, f"a sync is already running for connection {connection['name']}") from error
        await self._scheduler.dispatch()
        return self.get(job_id)

    async def cancel(self, job: Row) -> Row:
        """Cancel a job; one that has ended already stays as it is."""
        await self._scheduler.cancel(job["id"])
        return self.get(job["id"])

    async def cancel_all(self, connection: Row) -> None:
        """Cancel what runs or waits for a connection."""
        sql = "SELECT * FROM jobs WHERE connection_id = ? AND status IN ('pending', 'running')"
        for job in self._store.rows(sql, connection["id"]):
            await self._scheduler.cancel(job["id"])
