"""The shipper: looks at every source, spools what is new, and brings it to the store and into the lake."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from lakehouse.errors import LakehouseError
from lakehouse.observability.logs.archive import LogArchive
from lakehouse.observability.logs.sources.source import Source
from lakehouse.observability.logs.spool import Spool
from lakehouse.observability.logs.store import LogStore

Say = Callable[[str, str], None]
"""Called with a message and its level."""

_STORE_RECORDS = 5_000
_ARCHIVE_SECONDS = 300.0
_ARCHIVE_BYTES = 16 * 2**20
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_FULL_BYTES = 2 * 2**30
"""Compressed, on the disk: beyond it nothing is collected, and sources wait."""


@dataclass
class _Turn:
    """When something is due again, and what was told of its trouble."""

    due: float = 0.0
    pause: float = 0.0
    trouble: str = ""


@dataclass
class Shipper:
    """One pass does what is due; `ship` repeats it until it is told to stop."""

    spool: Spool
    sources: Sequence[Source]
    store: LogStore
    archive: LogArchive
    say: Say
    archive_seconds: float = _ARCHIVE_SECONDS
    full_bytes: int = _FULL_BYTES
    _turns: dict[str, _Turn] = field(default_factory=dict)

    def ship(self, wait: Callable[[float], bool]) -> None:
        """Until `wait`, which is given seconds, says that it is over."""
        self._turn("archive").due = time.monotonic() + self.archive_seconds
        while not wait(max(0.0, self._next_due() - time.monotonic())):
            self.once()

    def once(self, *, everything: bool = False) -> None:
        """Do what is due; with `everything` also what is not yet."""
        if self._has_room():
            for source in self.sources:
                self._do(source.name, source.every_seconds, partial(self._collect, source), everything)
        self._do("store", 0.2, self._fill_store, everything)
        self._do("archive", self.archive_seconds, self._fill_archive, everything)

    def troubles(self) -> list[str]:
        """What could not be done at the last try."""
        return [turn.trouble for turn in self._turns.values() if turn.trouble]

    def _collect(self, source: Source) -> None:
        for collected in source.look():
            self.spool.take(collected)
            if len(collected.records) > 1000:
                self._do("store", 0.2, self._fill_store, False)  # it keeps up with a source that has much

    def _fill_store(self) -> None:
        while parts := self.spool.waiting("store", _STORE_RECORDS):
            refused = self.store.add([record for part in parts for record in part.records()])
            for why in refused[:3]:
                self.say(f"the log store refused {len(refused)} records for good: {why}", "ERROR")
            self.spool.deliver("store", parts[-1].number)

    def _fill_archive(self) -> None:
        while (planned := self.spool.planned("archive", _ARCHIVE_BYTES)) is not None:
            first, last = planned
            name = f"{self.spool.id}-{first:012}-{last:012}"
            for service, day in self.spool.kinds(first, last):
                members = (part.content for part in self.spool.parts(first, last, service, day))
                self.archive.write(service, day, name, members)
            self.spool.deliver("archive", last)

    def _has_room(self) -> bool:
        turn = self._turn("room")
        if time.monotonic() < turn.due:
            return not turn.trouble
        turn.due = time.monotonic() + 10
        waiting = max(self.spool.size(target)[1] for target in ("store", "archive"))
        trouble = (
            f"{waiting >> 20} MiB of logs wait; no more are collected" if waiting > self.full_bytes else ""
        )
        self._tell("room", trouble)
        return not trouble

    def _do(self, name: str, every: float, work: Callable[[], None], now: bool) -> None:
        turn = self._turn(name)
        if not now and time.monotonic() < turn.due:
            return
        try:
            work()
        except LakehouseError as error:
            turn.pause = min(max(_FIRST_PAUSE, turn.pause * 2), _LONGEST_PAUSE)
            turn.due = time.monotonic() + max(turn.pause, every)
            self._tell(name, str(error))
            return
        turn.pause = 0.0
        turn.due = time.monotonic() + every
        self._tell(name, "")

    def _tell(self, name: str, trouble: str) -> None:
        """Once when it begins and once when it is over."""
        turn = self._turn(name)
        if trouble and not turn.trouble:
            waiting = f"; {self.spool.size(name)[0]} records wait" if name in ("store", "archive") else ""
            self.say(f"{name}: {trouble}{waiting}", "WARNING")
        elif turn.trouble and not trouble:
            self.say(f"{name}: is well again", "INFO")
        turn.trouble = trouble

    def _turn(self, name: str) -> _Turn:
        return self._turns.setdefault(name, _Turn())

    def _next_due(self) -> float:
        names = [source.name for source in self.sources]
        return min((self._turn(name).due for name in (*names, "archive")), default=time.monotonic() + 1.0)
