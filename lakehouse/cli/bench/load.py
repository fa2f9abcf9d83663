"""Requests at an even rate, whether or not the answers to earlier ones have come: an open loop over kept connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from lakehouse.errors import PermanentError

_CONNECTIONS = 32


@dataclass(frozen=True)
class Asked:
    """One request; `seconds` counts from when it was due, so that what waits behind a slow one is slow too."""

    path: str
    seconds: float


async def ask_evenly(
    host: str, port: int, paths: Sequence[str], token: str, *, per_second: float, seconds: float
) -> list[Asked]:
    """GET these paths in turn, so many a second.

    Raises:
        PermanentError: an answer is not 200.
    """
    due: asyncio.Queue[tuple[str, float] | None] = asyncio.Queue()
    asked: list[Asked] = []
    connections = [
        asyncio.create_task(_connection(host, port, token, due, asked)) for _ in range(_CONNECTIONS)
    ]
    started = time.perf_counter()
    for number, path in zip(range(int(per_second * seconds)), cycle(paths), strict=False):
        at = started + number / per_second
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due.put_nowait((path, at))
    for _ in connections:
        due.put_nowait(None)
    await asyncio.gather(*connections)
    return asked


async def _connection(
    host: str, port: int, token: str, due: asyncio.Queue[tuple[str, float] | None], asked: list[Asked]
) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    while (wanted := await due.get()) is not None:
        path, at = wanted
        head = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
        writer.write(head.encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        await reader.readexactly(int(answer.partition("content-length:")[2].split("\r\n")[0]))
        asked.append(Asked(path, time.perf_counter() - at))
        status = answer.split(" ", 2)[1]
        if status != "200":
            raise PermanentError(f"answered {status}", where=path)
    writer.close()
    await writer.wait_closed()


def percentile(seconds: Sequence[float], share: float) -> float:
    """
    >>> percentile([0.1, 0.2, 0.3, 0.4, 0.5], 0.5)
    0.3
    """
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]
