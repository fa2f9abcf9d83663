"""Jobs in processes of their own: a bounded number at once, each killable with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from lakehouse.embedded.airbyte.attempts import Retries, begin_attempt, next_job, settle
from lakehouse.embedded.airbyte.process_tree import kill_tree
from lakehouse.embedded.airbyte.recovery import discard_files
from lakehouse.embedded.airbyte.refreshes import begin_refresh
from lakehouse.embedded.airbyte.store import Row, Store
from lakehouse.embedded.airbyte.tuning import Tuning
from lakehouse.embedded.airbyte.worker import failure
from lakehouse.embedded.airbyte.workers import Workers

logger = logging.getLogger(__name__)

_LOG_DAYS = 30


class Scheduler:
    """Starts jobs in order, at most `workers` at once, each attempt for at most `timeout_seconds`.

    Jobs of connections that sync all the time come on top: a log that is waited on would keep the others out.
    """

    def __init__(
        self,
        store: Store,
        home: Path,
        *,
        workers: int,
        timeout_seconds: float,
        retries: Retries,
        tuning: Tuning,
        connectors: Mapping[str, Sequence[str]],
        direct: bool,
    ) -> None:
        self._store = store
        self._home = home
        self._workers = workers
        self._timeout = timeout_seconds
        self.retries = retries
        arguments = ["--connectors", json.dumps(connectors), *tuning.arguments()]
        self._processes = Workers(home, arguments if direct else [*arguments, "--protocol-only"])
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._in_room: set[asyncio.Task[None]] = set()
        self._stopping = False
        (home / "logs").mkdir(exist_ok=True)
        self._forget_old_logs()

    async def dispatch(self) -> None:
        """Starts as many waiting jobs as there is room for; a continuous one waits for its log and needs no room."""
        while not self._stopping:
            job = next_job(self._store, continuous=True)
            takes_room = job is None
            if takes_room and len(self._in_room) < self._workers:
                job = next_job(self._store, continuous=False)
            if job is None:
                return
            with self._store.transaction():
                if job["status"] == "pending":
                    begin_refresh(self._store, job)
                begin_attempt(self._store, job["id"])
            watcher = asyncio.create_task(self._watch(job))
            self._watchers.add(watcher)
            watcher.add_done_callback(self._watchers.discard)
            if takes_room:
                self._in_room.add(watcher)
                watcher.add_done_callback(self._in_room.discard)

    async def cancel(self, job_id: int) -> None:
        """Ends a job that has not ended yet and kills its processes; one that has ended stays as it is."""
        if self._store.end_job(job_id, "cancelled"):
            logger.info("job %s cancelled", job_id, extra={"job_id": job_id})
            self._kill(job_id)

    async def stop(self) -> None:
        """Kills every worker; their attempts fail with the reason."""
        self._stopping = True
        for job_id in list(self._running):
            problem = "the server was stopped while this job ran; start it again"
            self._settle(job_id, failure(problem, "airbyte_platform", "transient_error"))
            self._kill(job_id)
        if self._watchers:
            await asyncio.wait(self._watchers, timeout=10)
        await self._processes.stop()

    def log_path(self, job_id: int) -> Path:
        """Where a job's log is."""
        return self._home / "logs" / f"job-{job_id}.log"

    def _forget_old_logs(self) -> None:
        oldest = time.time() - _LOG_DAYS * 86_400
        for path in (self._home / "logs").glob("job-*.log"):
            if path.stat().st_mtime < oldest:
                path.unlink()

    async def _watch(self, job: Row) -> None:
        job_id = job["id"]
        logger.info("job %s started", job_id, extra={"job_id": job_id, "connection_id": job["connection_id"]})
        try:
            process = await self._start(job_id)
        except OSError as error:
            problem = f"cannot start a worker: {error}"
            self._settle(job_id, failure(problem, "airbyte_platform", "system_error"))
            return
        self._running[job_id] = process
        try:
            await asyncio.wait_for(process.wait(), self._timeout)
        except TimeoutError:
            minutes = self._timeout / 60
            problem = (
                f"the job ran longer than {minutes:g} minutes and was stopped; raise the server's job timeout"
            )
            self._store.end_job(job_id, "failed", failure(problem, "airbyte_platform", "system_error"))
        self._kill(job_id)  # whatever the worker started and left
        code = await process.wait()
        del self._running[job_id]
        problem = f"the worker ended without a result (exit code {code}); see {self.log_path(job_id)}"
        self._settle(job_id, failure(problem, "airbyte_platform", "system_error"))
        ended = self._store.job(job_id) or job
        reason = f": {ended['failure']['externalMessage']}" if ended["failure"] else ""
        logger.info("job %s %s%s", job_id, ended["status"], reason, extra={"job_id": job_id})
        if ended["status"] != "succeeded":
            discard_files(self._store, job_id)
        asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self.dispatch()))
        if not self._stopping:
            await self._processes.make_ready()

    def _settle(self, job_id: int, otherwise: dict[str, Any]) -> None:
        """End an attempt that did not succeed, for the reason its worker gave, or else this one."""
        job = self._store.job(job_id)
        if job is not None:
            settle(self._store, job_id, job["failure"] or otherwise, self.retries)

    async def _start(self, job_id: int) -> asyncio.subprocess.Process:
        def told(pid: int) -> None:
            with contextlib.suppress(psutil.NoSuchProcess):
                started = psutil.Process(pid).create_time()
                self._store.update("jobs", job_id, {"pid": pid, "pid_started": started})

        process = await self._processes.run(job_id, self.log_path(job_id), told)
        if self._store.row("SELECT 1 FROM jobs WHERE id = ? AND status = 'running'", job_id) is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process

    def _kill(self, job_id: int) -> None:
        process = self._running.get(job_id)
        if process is not None:
            kill_tree(process.pid, group=True)
