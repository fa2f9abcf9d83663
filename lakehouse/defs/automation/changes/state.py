"""What a sensor of changes remembers between two ticks: its cursor."""

from __future__ import annotations

import hashlib

import dagster as dg
import msgspec

Window = tuple[str, str]


class Build(msgspec.Struct, frozen=True):
    """One run: assets, the first and the last of their partitions, and which of these are to be built."""

    assets: tuple[str, ...]
    """As `bronze/shop/orders`."""
    window: Window | None = None
    days: tuple[str, ...] = ()
    """Those of the window that changes reach; all of them when empty."""

    @property
    def keys(self) -> list[dg.AssetKey]:
        return [dg.AssetKey.from_user_string(name) for name in self.assets]

    def covers(self, day: str | None) -> bool:
        """Whether a run of it builds that partition."""
        if day is None or self.days:
            return day is None or day in self.days
        return self.window is not None and self.window[0] <= day <= self.window[1]


Phases = tuple[tuple[Build, ...], ...]


class Batch(msgspec.Struct, frozen=True):
    """Runs for one set of changes: phase after phase, the runs of a phase in any order."""

    id: str
    phases: Phases
    built: int
    """As `State.built`, once it is built."""
    phase: int = 0
    attempt: int = 1
    retry_at: float | None = None
    """When the failed runs of the phase are asked for again, in seconds since 1970; None while runs are at work."""


class State(msgspec.Struct, frozen=True):
    """The cursor."""

    built: int | None = None
    """Storage id of the event log: all that events of bronze told up to it is built. None before the first tick."""
    batch: Batch | None = None
    failures: int = 0
    """Batches given up in a row."""
    wait_until: float = 0.0
    """No new batch before, in seconds since 1970."""

    @classmethod
    def read(cls, cursor: str | None) -> State:
        """Raises msgspec.DecodeError for a cursor that is none of ours."""
        return msgspec.json.decode(cursor, type=cls) if cursor else cls()

    @property
    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def batch_id(phases: Phases, built: int | None, objects: tuple[str, ...]) -> str:
    """A hash of what is built and why: the same changes found again give the same runs.

    Args:
        phases: what is built.
        built: how far the log of events was built before.
        objects: the landed objects behind it.
    """
    told = msgspec.json.encode((phases, built, objects))
    return hashlib.sha256(told).hexdigest()[:16]
