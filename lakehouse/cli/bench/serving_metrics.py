"""Scrapes of `/metrics` over running services and a long history."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from lakehouse.cli.bench.home import BenchHome, bench_home
from lakehouse.cli.bench.result import Result, at_most
from lakehouse.errors import PermanentError

RUNS = 10_000
DAYS = 100
"""Of every asset."""
_OUTCOMES = 4
"""Of a run."""
_SECONDS = 0.150
_SCRAPES = 12
_APART = 6.0
"""Seconds: longer than the answers of most sources are kept, so that a scrape asks them."""
_SERVICES = ("postgres", "airbyte", "dremio", "api")
_COPY = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :runs)
INSERT INTO runs (run_id, snapshot_id, pipeline_name, mode, status, run_body, create_timestamp, update_timestamp,
                  start_time, end_time)
SELECT printf('00000000-0000-4000-8000-%012d', n), snapshot_id, pipeline_name, mode,
       CASE WHEN n % 20 THEN 'SUCCESS' ELSE 'FAILURE' END,
       replace(run_body, run_id, printf('00000000-0000-4000-8000-%012d', n)),
       datetime(create_timestamp, -n || ' minutes'), datetime(update_timestamp, -n || ' minutes'),
       start_time - 60 * n, end_time - 60 * n
FROM runs, numbers WHERE id = (SELECT min(id) FROM runs)
"""
"""The first run once more for every minute before it."""


def metrics() -> list[Result]:
    """As Prometheus asks the API that `lakehouse up` starts, with 10,000 runs and syncs, and 40,000 outcomes.

    Raises:
        PermanentError: a source of metrics is down, or has not read all of the history.
    """
    with bench_home() as home:
        _write_history(home)
        home.run("up", "--detach", *(f"--only={name}" for name in _SERVICES))
        with _client(home) as client:
            first = _first_complete(client)
            seconds, size = zip(*_scrapes(client), strict=True)
    return [
        at_most("serving.metrics.scrape", statistics.median(seconds), _SECONDS, goal=1.0, of="the goal"),
        at_most("serving.metrics.scrape.worst", max(seconds), _SECONDS, goal=1.0, of="the goal"),
        at_most("serving.metrics.complete", first, 60.0, goal=1.0, of="a minute after the start"),
        at_most("serving.metrics.size", max(size) / 1e6, 1.0, goal=1.0, of="a megabyte", unit="MB"),
    ]


def _write_history(home: BenchHome) -> None:
    import dagster as dg

    from lakehouse.cli.bench.scale_history import write_history
    from lakehouse.defs.monitoring.metrics.declared import declared_assets
    from lakehouse.defs.project import declared_datasets
    from lakehouse.embedded.dagster_home import dagster_home

    dagster = dagster_home(home.path)
    today = datetime.now(UTC).date()
    days = dg.DailyPartitionsDefinition((today - timedelta(days=DAYS)).isoformat())
    assets = list(declared_assets(declared_datasets()))
    with dg.DagsterInstance.from_config(str(dagster)) as instance:
        write_history(instance, dagster, dict.fromkeys(assets), days)
    _write_runs(dagster)
    _write_metadata(home.path, [key.to_user_string() for key in assets])


def _write_runs(dagster: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(dagster / "history" / "runs.db")) as database, database:
        database.execute(_COPY, {"runs": RUNS})


def _write_metadata(home: Path, assets: list[str]) -> None:
    from lakehouse.observability.metadata.database import metadata_database
    from lakehouse.observability.metadata.outcome import Outcome, PartitionOutcome
    from lakehouse.observability.metadata.outcomes import write_outcomes
    from lakehouse.observability.metadata.records import put
    from lakehouse.observability.metadata.tables import sync_history
    from lakehouse.settings import load_settings

    now = datetime.now(UTC)
    syncs = (
        {
            "connection": f"connection{number % 10}", "job_id": number, "started": now - timedelta(minutes=number),
            "ended": now - timedelta(minutes=number - 1), "status": "succeeded" if number % 20 else "failed",
            "rows": number, "bytes": 100 * number, "failure": "",
        }
        for number in range(1, RUNS + 1)
    )  # fmt: skip
    outcomes = (
        PartitionOutcome(
            f"00000000-0000-4000-8000-{run:012}",
            assets[(run + place) % len(assets)],
            (now.date() - timedelta(days=run % DAYS)).isoformat(),
            Outcome.MADE if run % 20 else Outcome.FAILED,
            now - timedelta(minutes=run),
            now - timedelta(minutes=run),
            None,
            "schedule",
        )
        for run in range(1, RUNS + 1)
        for place in range(_OUTCOMES)
    )
    with metadata_database(load_settings(home)).transaction() as connection:
        put(connection, sync_history, syncs)
        write_outcomes(connection, outcomes)


def _client(home: BenchHome) -> httpx.Client:
    from lakehouse.settings import load_settings

    api = load_settings(home.path).api
    return httpx.Client(
        base_url=f"http://{api.host}:{api.port}",
        headers={"Authorization": f"Bearer {api.accepted_tokens[0]}"},
        timeout=60,
        trust_env=False,
    )


def _first_complete(client: httpx.Client) -> float:
    """Seconds until every source has answered and all runs are counted."""
    started, waited = time.monotonic(), 0.0
    while waited < 120:
        text = client.get("/metrics").raise_for_status().text
        waited = time.monotonic() - started
        down = [
            line
            for line in text.splitlines()
            if line.startswith("lakehouse_metrics_source_up") and line.endswith(" 0.0")
        ]
        counted = sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("dagster_runs_total{")
        )
        if not down and counted > RUNS:
            return waited
        time.sleep(0.5)
    raise PermanentError(f"{counted:.0f} runs are counted; down: {down}", where="bench serving")


def _scrapes(client: httpx.Client) -> Iterator[tuple[float, int]]:
    """How long each took, and how many bytes it had."""
    for _ in range(_SCRAPES):
        time.sleep(_APART)
        started = time.monotonic()
        answer = client.get("/metrics").raise_for_status()
        yield time.monotonic() - started, len(answer.content)
