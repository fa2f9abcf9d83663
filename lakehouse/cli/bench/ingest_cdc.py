"""Log-based reads of Postgres: how many changes a second, how late a change lands, what waiting costs."""

from __future__ import annotations

import statistics
import time

from lakehouse.cli.bench.laboratory import Laboratory, Usage, laboratory, worker_usage
from lakehouse.cli.bench.result import Result, at_least, at_most

_CHANGES_A_SECOND = 70_000
_LAG_SECONDS = 2.0
_IDLE_SHARE = 0.02
_TABLE = """
CREATE TABLE {} (id bigint PRIMARY KEY, number int, name text, amount numeric(12, 2), at timestamptz, flag boolean)
"""
_FILL = """
INSERT INTO burst SELECT i, i % 100, 'name ' || i, i * 1.25, now(), i % 2 = 0 FROM generate_series({}, {}) i
"""
_PEEK = """
COPY (SELECT data FROM pg_logical_slot_peek_binary_changes('burst', NULL, NULL, 'proto_version', '1',
      'publication_names', 'burst')) TO STDOUT (FORMAT binary)
"""
CONTINUOUS = {"scheduleType": "cron", "cronExpression": "* * * * * ?"}


def cdc(scale: float) -> list[Result]:
    """430,000 changes (times the scale) in transactions of 10,000, then single rows with a continuous schedule."""
    with laboratory() as lab:
        return [*_throughput(lab, int(300_000 * scale)), *_waiting(lab)]


def _connect(lab: Laboratory, name: str, **more: object) -> None:
    method = {"method": "CDC", "replication_slot": name, "publication": name}
    stream = {"name": name, "syncMode": "incremental_append", "cursorField": ["_ab_cdc_lsn"]}
    with lab.postgres() as connection:
        connection.execute(_TABLE.format(name).encode())
    lab.connect(name, lab.source | {"replication_method": method}, [stream], **more)


def _throughput(lab: Laboratory, rows: int) -> list[Result]:
    _connect(lab, "burst")
    lab.sync("burst")
    with lab.postgres() as connection:
        for start in range(0, rows, 10_000):
            connection.execute(_FILL.format(start, start + 9_999).encode())
        connection.execute("UPDATE burst SET number = number + 1 WHERE id < %s", (rows // 3,))
        connection.execute("DELETE FROM burst WHERE id >= %s", (rows * 9 // 10,))
        messages, started = 0, time.monotonic()
        with connection.cursor() as cursor, cursor.copy(_PEEK.encode()) as copy:
            for _ in copy:
                messages += 1
        bare = messages / (time.monotonic() - started)
    measured = lab.sync("burst")
    speed = measured.rows / measured.seconds
    return [
        at_least("ingest.cdc.changes", speed, _CHANGES_A_SECOND, goal=1.0, of="the goal", unit="changes/s"),
        at_least(
            "ingest.cdc.changes.peek",
            speed,
            bare,
            goal=0.1,
            of="a bare peek, which decodes nothing",
            unit="changes/s",
        ),
    ]


def _waiting(lab: Laboratory) -> list[Result]:
    _connect(lab, "drip", schedule=CONTINUOUS)
    with lab.postgres() as connection:
        connection.execute("INSERT INTO drip (id) VALUES (0)")
        _until_landed(lab, 0)
        lags = []
        for identity in range(1, 31):
            before = len(lab.landed("drip", "drip"))
            committed = time.monotonic()
            connection.execute("INSERT INTO drip (id) VALUES (%s)", (identity,))
            _until_landed(lab, before)
            lags.append(time.monotonic() - committed)
            time.sleep(0.37)
    idle, started = Usage(), time.monotonic()
    worker_usage(idle)
    time.sleep(20)
    after = Usage()
    worker_usage(after)
    share = (after.cpu_seconds - idle.cpu_seconds) / (time.monotonic() - started)
    return [
        at_most("ingest.cdc.lag", statistics.median(lags), _LAG_SECONDS, goal=1.0, of="the goal"),
        at_most("ingest.cdc.idle", share, _IDLE_SHARE, goal=1.0, of="the goal", unit="cores"),
    ]


def _until_landed(lab: Laboratory, files: int) -> None:
    deadline = time.monotonic() + 60
    while len(lab.landed("drip", "drip")) <= files:
        if time.monotonic() > deadline:
            raise TimeoutError("a change did not land within a minute")
        time.sleep(0.02)
