"""A year of the flights built again: how long, in how many runs, and whether the answers stay the same."""

from __future__ import annotations

import time

from lakehouse.cli.bench.home import BenchHome, bench_home
from lakehouse.cli.bench.result import Result, at_most
from lakehouse.errors import PermanentError

YEAR = ("--from", "2013-01-01", "--to", "2013-12-31")
CHAIN = ("bronze.flights__flights", "silver.stg_flights", "gold.fct_departures", "gold.fct_daily_punctuality")
_SECONDS = 120.0
_GROUPS = 2
"""Dataset groups that have days: the bronze table, and dbt's models of the same partitions."""


def backfill() -> list[Result]:
    """365 days of `gold/fct_daily_punctuality` and all that it is made of, by a command that starts the engine itself.

    Raises:
        PermanentError: a table has other rows than before.
    """
    with bench_home() as home:
        home.run("up", "--detach", "--only=airbyte", "--only=dremio")
        home.run("connections", "apply", "flights")
        home.run("refresh", "flights")
        home.run("down")
        before = _hashes(home)
        started = time.monotonic()
        told = home.run("backfill", "gold/fct_daily_punctuality", *YEAR, "--upstream")
        seconds = time.monotonic() - started
        if changed := [table for table, hash_ in _hashes(home).items() if hash_ != before[table]]:
            raise PermanentError(f"the backfill changed {', '.join(changed)}", where="bench orchestration")
    runs = sum("2013-01-01..2013-12-31" in line for line in told.splitlines())
    return [
        at_most("orchestration.backfill.year", seconds, _SECONDS, goal=1.0, of="the goal"),
        at_most("orchestration.backfill.runs", runs, _GROUPS, goal=1.0, of="the dataset groups", unit="runs"),
    ]


def _hashes(home: BenchHome) -> dict[str, str]:
    return {table: home.content_hash(table) for table in CHAIN}
