"""Two hundred requests a second to the API, beside a shop whose changes are landed and built all the time."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

from lakehouse.cli.bench.load import ask_evenly, percentile
from lakehouse.cli.bench.orchestration_changes import running_shop, traffic
from lakehouse.cli.bench.result import Result, at_least, at_most

if TYPE_CHECKING:
    import httpx

    from lakehouse.settings import Settings

PER_SECOND = 200.0
SECONDS = 60.0
_BARE_SECONDS = 15.0
_QUERIES = 20
_GOAL_SECONDS = 0.050
_FIRST_SECONDS = 5.0
_SCALE = 0.1
_V1 = "/api/v1"
_QUERY = "SELECT order_date, revenue FROM lake.gold.fct_daily_revenue ORDER BY order_date DESC LIMIT 10"
_PATHS = (
    f"{_V1}/datasets",
    f"{_V1}/datasets?layer=gold&state=pass",
    f"{_V1}/datasets/gold/fct_orders?depth=10",
    f"{_V1}/datasets/bronze/shop/orders",
    f"{_V1}/runs",
    f"{_V1}/runs?status=success&limit=10",
    f"{_V1}/partitions?dataset=gold/fct_daily_revenue",
    f"{_V1}/partitions?dataset=bronze/shop/orders&limit=10",
    f"{_V1}/syncs",
    f"{_V1}/syncs/shop",
    f"{_V1}/alerts",
    f"{_V1}/logs?level=ERROR",
    f"{_V1}/reflections",
    f"{_V1}/slow-queries",
    f"{_V1}/storage",
    "/ready",
    "/openapi.json",
    "/",
)


def api() -> list[Result]:
    """Every route that reads, in turn; latency counts from when a request was due. The yardstick is `/health` alone.

    Each route is asked once before, and timed: the first answer waits for what is found out, later ones do not.

    Raises:
        PermanentError: an answer is not 200.
    """
    with running_shop(_SCALE) as (home, settings), traffic(home):
        bare = _asked(settings, ("/health",), _BARE_SECONDS)
        first = max(_first(settings))
        mixed = _asked(settings, _PATHS, SECONDS)
        over_rest, over_flight = _queries(settings)
    p99 = percentile(mixed, 0.99)
    return [
        at_most("serving.api.p99", p99, _GOAL_SECONDS, goal=1.0, of="the goal"),
        at_most("serving.api.p99.of_health", p99, percentile(bare, 0.99), goal=3.0, of="/health"),
        at_most("serving.api.median", percentile(mixed, 0.5), percentile(bare, 0.5), goal=3.0, of="/health"),
        at_least(
            "serving.api.answered", len(mixed), PER_SECOND * SECONDS, goal=1.0, of="what was due", unit="requests"
        ),
        at_most("serving.api.first", first, _FIRST_SECONDS, goal=1.0, of="the goal"),
        at_most("serving.api.query", over_rest, over_flight, goal=3.0, of="the same over Flight"),
    ]  # fmt: skip


def _asked(settings: Settings, paths: tuple[str, ...], seconds: float) -> list[float]:
    section = settings.api
    (token, *_) = section.accepted_tokens
    asked = asyncio.run(
        ask_evenly(section.host, section.port, paths, token, per_second=PER_SECOND, seconds=seconds)
    )
    return [one.seconds for one in asked]


def _first(settings: Settings) -> list[float]:
    """Seconds of the first answer of each route."""
    seconds = []
    with _client(settings) as client:
        for path in _PATHS:
            started = time.perf_counter()
            client.get(path).raise_for_status()
            seconds.append(time.perf_counter() - started)
    return seconds


def _client(settings: Settings) -> httpx.Client:
    import httpx

    section = settings.api
    return httpx.Client(
        base_url=f"http://{section.host}:{section.port}",
        headers={"Authorization": f"Bearer {section.accepted_tokens[0]}"},
        timeout=60,
        trust_env=False,
    )


def _queries(settings: Settings) -> tuple[float, float]:
    """Medians of a small query, over REST and over Flight, one after the other in turn."""
    from lakehouse.clients.dremio import DremioClient

    rest, flight = [], []
    with _client(settings) as client, DremioClient(settings.dremio) as dremio:
        for _ in range(_QUERIES):
            started = time.perf_counter()
            _ask(client)
            rest.append(time.perf_counter() - started)
            started = time.perf_counter()
            dremio.query(_QUERY)
            flight.append(time.perf_counter() - started)
    return statistics.median(rest), statistics.median(flight)


def _ask(client: httpx.Client) -> None:
    client.post(f"{_V1}/query", json={"sql": _QUERY}).raise_for_status()
