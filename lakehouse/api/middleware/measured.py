"""Requests counted and timed by route, for Prometheus; `api_requests_per_second` is the rate of the counter."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lakehouse.api.operation import ROUTE

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_METHODS = frozenset({"GET", "HEAD", "POST"})
_OTHER = "other"


class Measured:
    """Outermost, so that what is refused counts too; a path that is no route is `other`."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "api_requests", "Requests by route, method and status.", ["route", "method", "status"], registry=registry
        )  # fmt: skip
        self._seconds = Histogram(
            "api_request_duration_seconds",
            "Seconds from a request to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def with_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, with_status)
        finally:
            route = scope.get(ROUTE, _OTHER)
            method = scope["method"] if scope["method"] in _METHODS else _OTHER
            self._requests.labels(route, method, str(status)).inc()
            self._seconds.labels(route).observe(time.perf_counter() - started)
