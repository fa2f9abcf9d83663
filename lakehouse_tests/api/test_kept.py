"""What takes time is made once for all who ask, and nobody waits for a newer one."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lakehouse.api.kept import Kept
from lakehouse.api.middleware.limit import Buckets


def test_all_who_ask_at_once_get_what_is_made_once() -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"value"

    async def ask() -> list[bytes]:
        kept = Kept()
        return await asyncio.gather(*(kept.get("key", make) for _ in range(50)))

    assert set(asyncio.run(ask())) == {b"value"}
    assert len(made) == 1


def test_an_old_value_is_given_while_a_new_one_is_made() -> None:
    may_go_on = threading.Event()

    def slow() -> bytes:
        may_go_on.wait(10)
        return b"new"

    async def ask() -> list[bytes]:
        kept = Kept()
        first = await kept.get("key", lambda: b"old")
        second = await kept.get("key", slow, fresh=0)
        may_go_on.set()
        third = second
        while third == b"old":
            await asyncio.sleep(0.01)
            third = await kept.get("key", lambda: b"newer", fresh=60)
        return [first, second, third]

    assert asyncio.run(ask()) == [b"old", b"old", b"new"]


def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    def fail() -> bytes:
        raise ValueError("away")

    async def ask() -> bytes:
        kept = Kept()
        found = await asyncio.gather(*(kept.get("key", fail) for _ in range(3)), return_exceptions=True)
        assert [str(one) for one in found] == ["away"] * 3
        return await kept.get("key", lambda: b"back")

    assert asyncio.run(ask()) == b"back"


def test_a_bucket_fills_as_time_goes_by() -> None:
    now = 0.0
    buckets = Buckets(2, clock=lambda: now)
    assert [buckets.wait("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    assert buckets.wait("b") == 0
    now = 0.5
    assert [buckets.wait("a") for _ in range(2)] == [0, 1]
    slow = Buckets(0.1, clock=lambda: now)
    assert [slow.wait("a") for _ in range(2)] == [0, 10]


def test_addresses_are_forgotten_in_the_order_in_which_they_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.api.middleware.limit._MOST", 2)
    buckets = Buckets(0.5, clock=lambda: 0.0)
    assert [buckets.wait(name) for name in ("a", "b", "a", "c", "b")] == [0, 0, 2, 0, 0]
