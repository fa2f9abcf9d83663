"""Results, asked of Dremio within limits and kept for a while, so that the pages of one are of one and the same answer."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse.clients.flight import FlightSql, LoginExpiredError

if TYPE_CHECKING:
    import pyarrow as pa

    from lakehouse.settings_sections import DremioSettings

KEPT_SECONDS = 300.0
MOST_BYTES = 64 * 1024 * 1024
"""Of one result; what is beyond is left out."""
_KEPT_BYTES = 2 * MOST_BYTES
_KEPT_RESULTS = 64


@dataclass(frozen=True)
class Result:
    id: str
    table: pa.Table
    truncated: bool
    """Whether there is more than the limits allow."""
    seconds: float
    asked_at: float
    """By the monotonic clock."""


class Connections:
    """Connections to Dremio that are logged in, each for one query at a time: a login a query would fill it with tokens."""

    def __init__(self, settings: DremioSettings, seconds: float) -> None:
        self._settings = settings
        self._seconds = seconds
        self._free: list[FlightSql] = []

    @contextmanager
    def one(self) -> Iterator[FlightSql]:
        """One that is used by nobody else for the length of the block."""
        flight = self._free.pop() if self._free else FlightSql(self._settings, timeout=self._seconds)
        try:
            yield flight
        finally:
            self._free.append(flight)


def ask(connections: Connections, sql: str, most_rows: int) -> Result:
    """The result of a query, or its beginning. Tokens expire: where one is refused, a new one is tried.

    Raises:
        ServiceDownError, ServiceRefusedError, TransientError: see `FlightSql.reader`.
    """
    with connections.one() as flight:
        try:
            return _read(flight, sql, most_rows)
        except LoginExpiredError:
            return _read(flight, sql, most_rows)


def _read(flight: FlightSql, sql: str, most_rows: int) -> Result:
    import pyarrow as pa

    started = time.monotonic()
    batches, rows, size, truncated = [], 0, 0, False
    with flight.reader(sql) as reader:
        schema = reader.schema
        for batch in reader:
            kept = batch.slice(0, most_rows - rows)
            batches.append(kept)
            rows, size = rows + kept.num_rows, size + kept.nbytes
            if kept.num_rows < batch.num_rows or size > MOST_BYTES:
                truncated = True
                break
    table = pa.Table.from_batches(batches, schema)
    return Result(secrets.token_urlsafe(16), table, truncated, time.monotonic() - started, started)


class Results:
    """The newest results, for some minutes and up to so many bytes; for any number of threads."""

    def __init__(self) -> None:
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, result: Result) -> None:
        with self._lock:
            self._results[result.id] = result
            self._forget()

    def find(self, id_: str) -> Result | None:
        with self._lock:
            self._forget()
            return self._results.get(id_)

    def _forget(self) -> None:
        oldest = time.monotonic() - KEPT_SECONDS
        size = sum(result.table.nbytes for result in self._results.values())
        for id_, result in list(self._results.items()):
            if result.asked_at < oldest or size > _KEPT_BYTES or len(self._results) > _KEPT_RESULTS:
                size -= result.table.nbytes
                del self._results[id_]
