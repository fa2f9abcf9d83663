"""What a stopped server or a dead worker leaves behind, put right before anything else runs."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
from pathlib import Path

import msgspec
import psutil

from lakehouse.embedded.airbyte.attempts import Retries, settle
from lakehouse.embedded.airbyte.landing.cleanup import forget_older_generations
from lakehouse.embedded.airbyte.landing.configuration import S3Configuration
from lakehouse.embedded.airbyte.landing.target import LandingTarget, landing_target
from lakehouse.embedded.airbyte.store import Row, Store
from lakehouse.embedded.airbyte.worker import failure, scratch_folder

logger = logging.getLogger(__name__)

_UNTIDY = "SELECT id FROM jobs WHERE status IN ('failed', 'cancelled', 'incomplete') AND files_discarded = 0"


def recover(store: Store, retries: Retries) -> None:
    """Ends the attempts a killed server left running, removes their files, finishes interrupted clean-ups."""
    for job in store.rows("SELECT * FROM jobs WHERE status = 'running'"):
        kill_group(job)
        problem = "the server restarted while this job ran; start it again"
        reason = job["failure"] or failure(problem, "airbyte_platform", "transient_error")
        settle(store, job["id"], reason, retries)
        logger.warning("job %s was running when the server ended", job["id"], extra={"job_id": job["id"]})
    for job in store.rows("SELECT DISTINCT job_id AS id FROM landing_files WHERE committed = 0"):
        discard_files(store, job["id"])
    for job in store.rows(_UNTIDY):
        discard_files(store, job["id"])
    for cleanup in store.rows("SELECT * FROM cleanups"):
        target = _target(store, cleanup["destination_id"])
        if target is not None:
            forget_older_generations(store, target, cleanup)


def empty_scratch(home: Path) -> Path:
    """The folder for files that hand secrets to connectors, without those of killed ones."""
    scratch = scratch_folder(home)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    return scratch


def discard_files(store: Store, job_id: int) -> None:
    """Remove what a job that did not succeed left: files aside, and files shown but not recorded."""
    job = store.job(job_id)
    target = None if job is None else _target(store, job["destination_id"])
    if target is not None:
        target.discard(job_id, store.uncommitted_files(job_id))
    with store.transaction():
        store.execute("DELETE FROM landing_files WHERE job_id = ? AND committed = 0", job_id)
        store.execute("UPDATE jobs SET files_discarded = 1 WHERE id = ?", job_id)


def kill_group(job: Row) -> None:
    """Kill a worker that outlived its server, with all it started; never one that merely has its number."""
    if job["pid"] is None:
        return
    try:
        process = psutil.Process(job["pid"])
        if abs(process.create_time() - job["pid_started"]) > 1:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job["pid"], signal.SIGKILL)
        process.wait(timeout=10)
    except psutil.NoSuchProcess:
        return


def _target(store: Store, destination_id: str) -> LandingTarget | None:
    destination = store.row("SELECT configuration FROM actors WHERE id = ?", destination_id)
    if destination is None:
        return None
    return landing_target(msgspec.convert(destination["configuration"], S3Configuration))
