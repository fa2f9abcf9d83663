"""The shipper of a home directory, put together from the settings."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakehouse.clients.airbyte import AirbyteClient
from lakehouse.clients.dagster import DagsterClient
from lakehouse.errors import PermanentError
from lakehouse.observability.logs.archive import LogArchive
from lakehouse.observability.logs.lines import dbt_line, service_line
from lakehouse.observability.logs.ship import Say, Shipper
from lakehouse.observability.logs.sources.airbyte import AirbyteJobs
from lakehouse.observability.logs.sources.dagster import DagsterRuns
from lakehouse.observability.logs.sources.files import LogFiles
from lakehouse.observability.logs.sources.source import Source
from lakehouse.observability.logs.spool import Spool
from lakehouse.observability.logs.store import open_log_store
from lakehouse.settings import Settings


@contextmanager
def shipper_of(settings: Settings, say: Say) -> Iterator[Shipper]:
    """The one shipper of this home. Raises PermanentError while another one runs."""
    folder = settings.home / "search"
    with _alone(folder):
        spool, store = Spool(folder / "shipper.db"), open_log_store(settings)
        try:
            yield Shipper(spool, sources_of(settings, spool), store, LogArchive(settings), say)
        finally:
            store.close()
            spool.close()


def sources_of(settings: Settings, spool: Spool) -> list[Source]:
    """Everything that writes logs, as far as this home and its settings know of it."""
    home, oldest = settings.home, settings.retention.log_search_days
    return [
        LogFiles(
            "services",
            lambda: (home / "logs").glob("*.jsonl*"),
            spool,
            service_line,
            lambda path: path.name.removesuffix(".jsonl"),
        ),
        DagsterRuns(DagsterClient(settings.dagster), spool, oldest_days=oldest),
        AirbyteJobs(AirbyteClient(settings.airbyte), spool, oldest_days=oldest),
        LogFiles("dbt", lambda: (home / "dbt").glob("*/dbt.log*"), spool, dbt_line, lambda _: "dbt"),
    ]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The lock is the kernel's, so that it is free again however its holder ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / "shipper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            problem = "another one ships the logs of this home"
            raise PermanentError(
                problem, where=str(folder), remedy="it is a service of `lakehouse up`"
            ) from None
        yield
    finally:
        os.close(lock)
