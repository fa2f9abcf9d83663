"""Shipping logs from files into the searchable store and the lake, and searching two million records."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lakehouse.cli.bench.result import Result, at_least, at_most
from lakehouse.errors import PermanentError
from lakehouse.observability.logs.query import LogQuery
from lakehouse.observability.logs.shipping import shipper_of
from lakehouse.observability.logs.sources.files import LogFiles
from lakehouse.observability.logs.store import LogStore, open_log_store
from lakehouse.settings import load_settings

RECORDS = 2_000_000
_SLICES = 20
_PER_SECOND, _MILLISECONDS = 15_000.0, 100.0
_BATCH = 5000
_TIMES = 5
_SERVICES = ("airbyte", "dremio", "dagster", "dbt", "postgres")
_WORDS = [
    "sync",
    "records",
    "landed",
    "stream",
    "attempt",
    "failed",
    "query",
    "reflection",
    "refreshed",
    "started",
    "finished",
    "orders",
]


def logs(records: int = RECORDS) -> list[Result]:
    """The shipper reads files of JSON lines, spools, indexes and archives them; the ceiling is bare SQLite.

    The rate is that of the whole and of its slowest twentieth. Every search is made by a connection of its own, as
    the command line and the REST API make it; its time is the median of five, told of the slowest kind.
    """
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as directory:
        home = Path(directory)
        seconds = list(_shipped(home, records))
        bare = _bare(home, records // _SLICES * 4)
        rate = records / sum(seconds)
        slowest = records / _SLICES / max(seconds)
        with closing(open_log_store(load_settings(home))) as store:
            if (kept := sum(store.count(LogQuery(), "service").values())) != records:
                raise PermanentError(f"the store has {kept} of {records} records", where="bench serving")
            searches = _searches(store)
    worst = max(searches, key=lambda name: searches[name])
    return [
        at_least("serving.logs.ship", rate, _PER_SECOND, goal=1.0, of="the goal", unit="records/s"),
        at_least(
            "serving.logs.ship.slowest", slowest, _PER_SECOND, goal=1.0, of="the goal", unit="records/s"
        ),
        at_least("serving.logs.ship.of_bare", rate, bare, goal=0.05, of="bare inserts", unit="records/s"),
        at_most(
            f"serving.logs.search ({worst})",
            searches[worst],
            _MILLISECONDS,
            goal=1.0,
            of="the goal",
            unit="ms",
        ),
    ]


def _shipped(home: Path, records: int) -> Iterator[float]:
    """The seconds of each twentieth, from the file to the store and the lake."""
    with shipper_of(load_settings(home), _say) as shipper:
        shipper.sources = [source for source in shipper.sources if isinstance(source, LogFiles)]
        lines = _lines(random.Random(1), records)  # noqa: S311  of no secret
        path = home / "logs" / "bench.jsonl"
        path.parent.mkdir()
        for _ in range(_SLICES):
            with path.open("a") as file:
                file.writelines(itertools.islice(lines, records // _SLICES))
            started = time.perf_counter()
            shipper.once(everything=True)
            yield time.perf_counter() - started


def _lines(dice: random.Random, records: int) -> Iterator[str]:
    """Of the last hour: three in a hundred are errors, words are few, and one in each line is nearly its own."""
    begin = datetime.now(UTC) - timedelta(hours=1)
    for number in range(records):
        at = begin + timedelta(hours=1) * (number / records)
        message = f"{' '.join(dice.choices(_WORDS, k=6))} w{dice.randrange(20_000):x} of job {number // 1000}"
        line = {
            "timestamp": at.isoformat(timespec="milliseconds"),
            "level": dice.choices(("INFO", "WARNING", "ERROR"), (90, 7, 3))[0],
            "service": dice.choice(_SERVICES),
            "message": message,
            "job_id": number // 1000,
            "asset": "bronze/shop/orders",
        }
        yield json.dumps(line) + "\n"


def _bare(home: Path, records: int) -> float:
    """Records a second that sqlite3 inserts of the same lines, as they are, in transactions of the same size."""
    with closing(sqlite3.connect(home / "bare.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE line (text TEXT)")
        with (home / "logs" / "bench.jsonl").open() as file:
            lines = [[line] for line in itertools.islice(file, records)]
        started = time.perf_counter()
        for at in range(0, len(lines), _BATCH):
            database.execute("BEGIN")
            database.executemany("INSERT INTO line VALUES (?)", lines[at : at + _BATCH])
            database.execute("COMMIT")
        return len(lines) / (time.perf_counter() - started)


def _searches(store: LogStore) -> dict[str, float]:
    """The median milliseconds of every kind of search."""
    errors = {"level": ("ERROR",)}
    since = datetime.now(UTC) - timedelta(minutes=30)
    kinds: dict[str, Callable[[], object]] = {
        "a common word": lambda: store.search(LogQuery("failed")),
        "a rare word": lambda: store.search(LogQuery("w1f3")),
        "a rare and a common word": lambda: store.search(LogQuery("w1f3 failed")),
        "a word that is not there": lambda: store.search(LogQuery("nowhere")),
        "two in a row": lambda: store.search(LogQuery('"sync failed"')),
        "the beginning of a word": lambda: store.search(LogQuery("w1f*")),
        "errors of a service": lambda: store.search(LogQuery("failed", {**errors, "service": ("airbyte",)})),
        "a job": lambda: store.search(LogQuery("", {"job_id": ("7",)})),
        "the newest since": lambda: store.search(LogQuery("failed", errors, since=since)),
        "errors by service": lambda: store.count(LogQuery("", errors, since=since), "service"),
    }
    return {
        name: statistics.median(_milliseconds(kind) for _ in range(_TIMES)) for name, kind in kinds.items()
    }


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _say(message: str, level: str) -> None:
    print(f"{level} {message}", file=sys.stderr)
