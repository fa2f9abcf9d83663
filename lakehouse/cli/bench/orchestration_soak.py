"""Half an hour of traffic with services killed at random: nothing is lost, twice or stuck, and memory stays flat."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from lakehouse.cli.bench.home import BenchHome
from lakehouse.cli.bench.orchestration_changes import running_shop, traffic
from lakehouse.cli.bench.result import Result, at_most

if TYPE_CHECKING:
    from lakehouse.settings import Settings

MINUTES = 30.0
EVERY_SECONDS = 120.0
_SETTLE_SECONDS = 600.0
_ORDERS = "SELECT COUNT(*) AS n, COUNT(DISTINCT order_id) AS keys FROM lake.gold.fct_orders"
_REVENUE = "SELECT order_date, orders, revenue FROM lake.gold.fct_daily_revenue WHERE orders > 0"


def soak(minutes: float = MINUTES, scale: float = 1.0, seed: int = 1) -> list[Result]:
    """Every two minutes a random service of the stack is killed by SIGKILL; at the end gold must equal the source.

    Memory is that of all processes of the home, at a quarter of the time and at its end, each the least of a minute,
    so that a run at work does not count.
    """
    dice = random.Random(seed)  # noqa: S311  which service dies needs no cryptography
    with running_shop(scale) as (home, settings):
        with traffic(home):
            early = _kill(home, dice, minutes * 0.25)
            late = _kill(home, dice, minutes * 0.75)
        wrong, seconds = _settled(settings)
        duplicates = _duplicates(settings)
        given_up = _given_up(home)
    return [
        at_most("orchestration.soak.wrong_days", wrong, 1, goal=0.0, of="a day", unit="days"),
        at_most("orchestration.soak.duplicates", duplicates, 1, goal=0.0, of="a row", unit="rows"),
        at_most("orchestration.soak.given_up", given_up, 1, goal=0.0, of="a check", unit="checks"),
        at_most("orchestration.soak.settled", seconds, _SETTLE_SECONDS, goal=1.0, of="the wait"),
        at_most("orchestration.soak.memory", late, early, goal=1.15, of="a quarter's", unit="MB"),
    ]


def _kill(home: BenchHome, dice: random.Random, minutes: float) -> float:
    """Kill until the time is over; the least memory of the last minute in MB."""
    end = time.monotonic() + minutes * 60
    while (left := end - time.monotonic()) > 0:
        services = json.loads(home.run("status", "--json"))["services"]
        victim = dice.choice([service for service in services if service["pid"]])
        os.kill(victim["pid"], signal.SIGKILL)
        print(f"killed {victim['service']}", file=sys.stderr)
        time.sleep(max(0.0, min(EVERY_SECONDS, left - 60)))
        if left <= EVERY_SECONDS + 60:
            break
    least = _memory(home)
    while time.monotonic() < end:
        least = min(least, _memory(home))
        time.sleep(1)
    return least


def _memory(home: BenchHome) -> float:
    """MB of all processes of the home, each with its share of the pages that forked runs have together (PSS)."""
    total = 0
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get("LAKEHOUSE_HOME") == str(home.path):
                total += process.memory_full_info().pss
    return total / 1e6


def _settled(settings: Settings) -> tuple[int, float]:
    """Days on which gold is not what Postgres computes, and the seconds until there was none."""
    from lakehouse.clients.dremio import DremioClient
    from lakehouse.demo.truth import daily_revenue

    started = time.monotonic()
    truth = daily_revenue(settings.postgres)
    while True:
        with DremioClient(settings.dremio) as dremio:
            rows = dremio.query(_REVENUE).to_pylist()
        gold = {row["order_date"]: (row["orders"], row["revenue"]) for row in rows}
        wrong = sum(truth.get(day) != gold.get(day) for day in truth.keys() | gold.keys())
        waited = time.monotonic() - started
        if not wrong or waited > _SETTLE_SECONDS:
            return wrong, waited
        time.sleep(1)


def _duplicates(settings: Settings) -> int:
    from lakehouse.clients.dremio import DremioClient

    with DremioClient(settings.dremio) as dremio:
        (row,) = dremio.query(_ORDERS).to_pylist()
    return int(row["n"] - row["keys"])


def _given_up(home: BenchHome) -> int:
    """Connections whose changes are given up."""
    import dagster as dg

    from lakehouse.defs.automation.changes.check import given_up

    instance = dg.DagsterInstance.from_config(str(home.path / "dagster"))
    return sum(bool(given_up(instance, name)) for name in ("shop", "flights"))
