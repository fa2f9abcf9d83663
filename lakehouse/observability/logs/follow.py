"""Records as they come in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lakehouse.observability.logs.query import LogQuery
from lakehouse.observability.logs.record import LogRecord
from lakehouse.observability.logs.store import MOST_RECORDS, LogStore

_LATE = timedelta(seconds=60)
"""Records come in after they were written, those of one source later than those of another."""


def follow(
    store: LogStore, query: LogQuery, *, last: int, every_seconds: float = 1.0
) -> Iterator[list[LogRecord]]:
    """The `last` records that fit, oldest first, then those that come in, without end.

    A record that comes in more than a minute after it was written is not seen.
    """
    began = datetime.now(UTC)
    first = store.search(query, limit=last).records
    seen = {record.id: record.timestamp for record in first}
    yield first[::-1]
    while True:
        time.sleep(every_seconds)
        since = max(datetime.now(UTC) - _LATE, began - _LATE, query.since or began - _LATE)
        fresh = [record for record in _all(store, replace(query, since=since)) if record.id not in seen]
        # What was there before, and was more than `last`, is not new.
        fresh = [record for record in fresh if not first or record.timestamp >= first[-1].timestamp]
        seen = {id_: at for id_, at in seen.items() if at >= since - _LATE}
        seen |= {record.id: record.timestamp for record in fresh}
        yield fresh[::-1]


def _all(store: LogStore, query: LogQuery) -> list[LogRecord]:
    found: list[LogRecord] = []
    page: str | None = None
    while True:
        answer = store.search(query, limit=MOST_RECORDS, page=page)
        found += answer.records
        page = answer.next
        if page is None:
            return found
