"""Values that take time to make, kept for a moment: one maker at a time, and nobody waits for a newer one."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import anyio
import anyio.to_thread

from lakehouse.errors import LakehouseError

T = TypeVar("T")

FRESH_SECONDS = 2.0
USABLE_SECONDS = 30.0
_MOST = 512
_THREADS = 2
"""More would keep the event loop from Python's one lock, and every request waits for that."""


@dataclass(frozen=True)
class _Entry:
    value: bytes
    made_at: float


class Kept:
    """Answers by key, for one event loop.

    A value younger than `FRESH_SECONDS` is given as it is. An older one, up to `USABLE_SECONDS`, is given while a new one
    is made in a thread: whoever asks next gets that. All others wait for one that is being made, once for all of them.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[bytes]] = {}
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def get(self, key: Hashable, make: Callable[[], bytes], fresh: float = FRESH_SECONDS) -> bytes:
        """The value, made by `make` when there is none. Raises what `make` raises; errors are not kept."""
        entry = self._entries.get(key)
        age = time.monotonic() - entry.made_at if entry else math.inf
        if entry and age <= fresh:
            return entry.value
        task = self._making.get(key) or self._begin(key, make)
        if entry and age <= fresh + USABLE_SECONDS:
            return entry.value
        return await asyncio.shield(task)

    def _begin(self, key: Hashable, make: Callable[[], bytes]) -> asyncio.Task[bytes]:
        task = asyncio.create_task(self._make(key, make))
        self._making[key] = task
        task.add_done_callback(lambda done: self._made(key, done))
        return task

    async def _make(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        started = time.monotonic()
        value = await anyio.to_thread.run_sync(make, limiter=self._threads)
        self._entries[key] = _Entry(value, started)
        self._entries.move_to_end(key)
        while len(self._entries) > _MOST:
            self._entries.popitem(last=False)
        return value

    def _made(self, key: Hashable, task: asyncio.Task[bytes]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # seen: whoever waits for it gets it, and perhaps nobody does


class Remembered(Generic[T]):
    """One value for all threads, made again when it is older than `seconds`; so is a LakehouseError in its place."""

    def __init__(self, seconds: float, make: Callable[[], T]) -> None:
        self._seconds = seconds
        self._make = make
        self._lock = threading.Lock()
        self._kept: T | LakehouseError | None = None
        self._at = -math.inf

    def __call__(self) -> T:
        with self._lock:
            if time.monotonic() - self._at > self._seconds:
                try:
                    self._kept = self._make()
                except LakehouseError as error:
                    self._kept = error
                self._at = time.monotonic()
            if isinstance(self._kept, LakehouseError):
                raise self._kept
            return cast("T", self._kept)
