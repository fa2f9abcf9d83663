"""So many requests a second of one client: a bucket of tokens by address, which fills as time goes by."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from lakehouse.api.problems import problem_response

_MOST = 10_000
"""Addresses that are remembered; those that asked longest ago go."""
UNLIMITED = frozenset({"/health"})
"""A probe that is refused would have a busy server restarted."""


@dataclass
class _Bucket:
    left: float
    at: float


class Buckets:
    """`rate` is in requests a second; as many again may come at once, twice as many after a second of silence."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._size = rate, max(2 * rate, 1)
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, client: str) -> int:
        """Takes a token; gives 0, or the whole seconds after which there is one again."""
        now = self._clock()
        bucket = self._buckets.pop(client, None) or _Bucket(self._size, now)
        bucket.left = min(self._size, bucket.left + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets[client] = bucket  # last: a dict keeps the order
        if len(self._buckets) > _MOST:
            self._buckets.pop(next(iter(self._buckets)))
        if bucket.left >= 1:
            bucket.left -= 1
            return 0
        return max(1, math.ceil((1 - bucket.left) / self._rate))


class RateLimit:
    """Answers 429 with Retry-After, in seconds, to clients that ask too often."""

    def __init__(self, app: ASGIApp, rate: float) -> None:
        self._app = app
        self._rate = rate
        self._buckets = Buckets(rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else ""
        seconds = self._buckets.wait(client)
        if not seconds:
            await self._app(scope, receive, send)
            return
        detail = f"more than {self._rate:g} requests a second; try again in {seconds} s"
        await problem_response(429, detail, {"Retry-After": str(seconds)})(scope, receive, send)
