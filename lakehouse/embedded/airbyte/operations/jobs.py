"""Jobs: started at most once a connection, followed, cancelled."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Literal

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.attempts import OPEN, Attempt, attempts_of
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.operations.lookup import found
from lakehouse.embedded.airbyte.refreshes import Place, known_places, request_refresh
from lakehouse.embedded.airbyte.scheduler import Scheduler
from lakehouse.embedded.airbyte.store import Row, Store

_LOG_LINES = 5000  # Airbyte gives all; who follows a job counts the lines that it has
RefreshMode = Literal["merge", "truncate"]


class Jobs:
    """Jobs of connections: sync, refresh, clear and reset."""

    def __init__(self, store: Store, scheduler: Scheduler) -> None:
        self._store = store
        self._scheduler = scheduler

    def get(self, job_id: int) -> Row:
        """The job of an id, or 404."""
        return found(self._store.job(job_id) if job_id < 2**63 else None, "job", job_id)

    def attempts(self, job: Row) -> list[Attempt]:
        """The attempts of a job, first to last."""
        return attempts_of(self._store, job)

    def log_lines(self, job: Row) -> list[str]:
        """The beginning of a job's log, which is all of nearly every one."""
        path = self._scheduler.log_path(job["id"])
        return path.read_text(errors="replace").splitlines()[:_LOG_LINES] if path.exists() else []

    async def start(
        self,
        connection: Row,
        kind: str = "sync",
        places: Sequence[Place] | None = None,
        *,
        mode: RefreshMode = "truncate",
    ) -> Row:
        """Queue a job; 409 while another job of the connection has not ended.

        Args:
            kind: sync, refresh, clear or reset (the older name of clear).
            places: the streams to refresh or clear; all that are selected or were ever read by default.
            mode: what a refresh does with what was landed before.
        """
        if connection["status"] != "active":
            raise ApiError(400, f"connection {connection['name']} is inactive; set its status to active")
        known = known_places(self._store, connection)
        for place in places or ():
            if place not in known:
                names = ", ".join(map(_named, known)) or "none"
                problem = f"stream {_named(place)} is not in connection {connection['name']}; it has {names}"
                raise ApiError(400, problem)
        now = epoch_ms()
        job = {
            "connection_id": connection["id"],
            "workspace_id": connection["workspace_id"],
            "destination_id": connection["destination_id"],
            "type": kind,
            "status": "pending",
            "created_at": now,
            "updated_at": now,
        }
        try:
            with self._store.transaction():
                job_id = self._store.insert("jobs", job)
                if kind != "sync":
                    request_refresh(self._store, job_id, known if places is None else places, mode)
        except sqlite3.IntegrityError as error:
            raise ApiError(409, f"a sync is already running for connection {connection['name']}") from error
        await self._scheduler.dispatch()
        return self.get(job_id)

    def is_open(self, connection: Row) -> bool:
        """Whether a job of the connection has not ended."""
        latest = self._latest(connection)
        return latest is not None and latest["status"] in OPEN

    def _latest(self, connection: Row) -> Row | None:
        sql = "SELECT * FROM jobs WHERE connection_id = ? ORDER BY id DESC LIMIT 1"
        return self._store.row(sql, connection["id"])

    async def cancel(self, job: Row) -> Row:
        """Cancel a job; one that has ended already stays as it is."""
        await self._scheduler.cancel(job["id"])
        return self.get(job["id"])

    async def cancel_latest(self, connection: Row) -> None:
        """Cancel the job that runs or waits for a connection, if there is one."""
        latest = self._latest(connection)
        if latest is not None and latest["status"] in OPEN:
            await self._scheduler.cancel(latest["id"])


def _named(place: Place) -> str:
    return ".".join(part for part in place if part)
