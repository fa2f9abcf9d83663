"""From a commit in the shop's Postgres to gold over Arrow Flight, beside traffic: how long, and where it goes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from lakehouse.cli.bench.home import BenchHome, bench_home
from lakehouse.cli.bench.result import Result, at_most
from lakehouse.errors import PermanentError

if TYPE_CHECKING:
    from lakehouse.settings import Settings

MINUTES = 15.0
EVERY_SECONDS = 15.0
_POLL_SECONDS = 0.25
_GOAL_SECONDS = 60.0
_LOST_SECONDS = 600.0
_DAY = "SELECT orders, completed_orders FROM lake.gold.fct_daily_revenue WHERE order_date = DATE '{day}'"


def changes(minutes: float = MINUTES, scale: float = 1.0) -> list[Result]:
    """Probes on days months back, one after another, while `lakehouse demo traffic` changes orders of every day.

    A probe is two commits: an order on a day that has none yet, then its completion; each is awaited in
    `gold.fct_daily_revenue`. One that is not there after ten minutes counts with these.
    """
    with running_shop(scale) as (home, settings), traffic(home):
        waited = _probe(settings, minutes)
        runs = _runs(home)
    median, p95 = statistics.median(waited), sorted(waited)[int(0.95 * (len(waited) - 1))]
    return [
        at_most("orchestration.changes.p95", p95, _GOAL_SECONDS, goal=1.0, of="the goal"),
        at_most("orchestration.changes.median", median, _GOAL_SECONDS, goal=1.0, of="the goal"),
        at_most("orchestration.changes.max", max(waited), p95, goal=2.0, of="p95"),
        *(
            at_most(f"orchestration.changes.{name}", seconds, median, goal=1.0, of="the median")
            for name, seconds in runs.items()
        ),
    ]


@contextmanager
def running_shop(scale: float) -> Iterator[tuple[BenchHome, Settings]]:
    """The demo's lakehouse, built, with its whole stack up and nothing left to build."""
    from lakehouse.settings import load_settings

    with bench_home() as home:
        home.run("demo", "--scale", str(scale))
        home.run("up", "--detach")
        yield home, load_settings(home.path)


@contextmanager
def traffic(home: BenchHome) -> Iterator[None]:
    """`lakehouse demo traffic`, two changes a second, for as long as the block.

    Raises:
        PermanentError: it ended before the block did, so that what was measured had no traffic.
    """
    command = [sys.executable, "-m", "lakehouse.cli", "demo", "traffic", "--seed", "11"]
    process = subprocess.Popen(
        command, env=home.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
        if process.poll() is not None:
            raise PermanentError(f"ended with {process.returncode}", where="lakehouse demo traffic")
    finally:
        process.terminate()
        process.wait(30)


def _probe(settings: Settings, minutes: float) -> list[float]:
    """Seconds from each commit until gold showed it."""
    from lakehouse.demo.shop import connect

    waited: list[float] = []
    end = time.monotonic() + minutes * 60
    with connect(settings.postgres) as connection:
        first = connection.execute("SELECT min(order_date) FROM orders").fetchone()
        day: date = first[0] if first else datetime.now(UTC).date()
        number = 0  # below the keys of traffic, which leaves such orders alone
        while time.monotonic() < end:
            begun = time.monotonic()
            day, number = day - timedelta(days=1), number - 1
            connection.execute(
                "INSERT INTO orders SELECT %s, min(customer_id), %s, 'pending', 10, 'USD', now(), now() FROM customers",
                (number, day),
            )
            connection.commit()
            waited.append(_wait(settings, day, orders=1, completed=0))
            connection.execute("UPDATE orders SET status = 'completed' WHERE order_id = %s", (number,))
            connection.commit()
            waited.append(_wait(settings, day, orders=1, completed=1))
            time.sleep(max(0.0, begun + EVERY_SECONDS - time.monotonic()))
    return waited


def _wait(settings: Settings, day: date, *, orders: int, completed: int) -> float:
    from lakehouse.clients.dremio import DremioClient

    started = time.monotonic()
    with DremioClient(settings.dremio) as dremio:
        while (waited := time.monotonic() - started) < _LOST_SECONDS:
            rows = dremio.query(_DAY.format(day=day.isoformat())).to_pylist()
            if rows and rows[0]["orders"] >= orders and rows[0]["completed_orders"] >= completed:
                return waited
            time.sleep(_POLL_SECONDS)
    return _LOST_SECONDS


def _runs(home: BenchHome) -> dict[str, float]:
    """Medians of the runs of changes: seconds until one began, and until it had ended."""
    told = subprocess.run(
        [sys.executable, "-c", _READ_RUNS, str(home.path / "dagster")],
        env=home.environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = json.loads(told.stdout)
    return {
        "queued": statistics.median(began - asked for asked, began, _ in rows),
        "run": statistics.median(ended - began for _, began, ended in rows),
    }


_READ_RUNS = """
import json, sys
import dagster as dg
runs = dg.DagsterInstance.from_config(sys.argv[1]).get_run_records(dg.RunsFilter(tags={"lakehouse/why": "changes"}))
print(json.dumps([[r.create_timestamp.timestamp(), r.start_time, r.end_time] for r in runs if r.end_time and r.start_time]))
"""
