"""The collector: every source asked beside the others, its newest answer kept for a while.

A source that is down, or slow, takes nothing from the others. Its own series are gone until it answers again, which
`lakehouse_metrics_source_up` tells: an old value would look like a new one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from math import inf
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from lakehouse.observability.metrics.metric import Metric
from lakehouse.observability.metrics.source import Reading, Source

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

_LOG = logging.getLogger("lakehouse.metrics")
PATIENCE = 2.0
"""Seconds that a scrape waits for sources of which nothing is known, or nothing that is new enough. Else it serves what
is known, and what is due is asked after it, for the next one: reading a long history beside a scrape would make it slow."""
STALE = 60.0
"""Seconds after a source is due at which its answer is too old to be served."""
OVERDUE = 60.0
"""Seconds after which a source that does not answer is down."""

UP = Metric(
    "lakehouse_metrics_source_up",
    "gauge",
    "1 when the source answered the last time it was asked; at 0 its metrics are missing.",
    ("source",),
)
SECONDS = Metric("lakehouse_metrics_source_seconds", "gauge", "How long its newest answer took.", ("source",))
AGE = Metric("lakehouse_metrics_source_age_seconds", "gauge", "How old its newest answer is.", ("source",))


class PlatformCollector(Collector):
    """Serves the sources' metrics, and of each source whether it answers. Any number of threads may collect.

    `patience` is how many seconds a scrape waits at most.
    """

    def __init__(self, sources: Sequence[Source], *, patience: float = PATIENCE) -> None:
        pool = ThreadPoolExecutor(len(sources) or 1, thread_name_prefix="metrics")
        self.sources = tuple(sources)
        self._readers = [_Reader(source, pool) for source in self.sources]
        self._patience = patience

    def describe(self) -> Iterable[Family]:
        """All that `collect` may give; asks nobody."""
        for metric in (UP, SECONDS, AGE, *(metric for source in self.sources for metric in source.metrics)):
            yield metric.family([])

    def collect(self) -> Iterator[Family]:
        """Every metric, with HELP and TYPE also where its source is down."""
        stale = [reader for reader in self._readers if reader.is_stale]
        wait([asked for reader in stale if (asked := reader.ask())], self._patience)
        now = time.monotonic()
        answers = {reader.source.name: reader.answer(now) for reader in self._readers}
        up = [((name,), float(answer is not None)) for name, answer in answers.items()]
        yield UP.family(up)
        given = {name: answer for name, answer in answers.items() if answer}
        yield SECONDS.family([((name,), answer.seconds) for name, answer in given.items()])
        yield AGE.family([((name,), max(0.0, now - answer.at)) for name, answer in given.items()])
        for reader in self._readers:
            answer = given.get(reader.source.name)
            for metric in reader.source.metrics:
                yield metric.family(answer.reading.get(metric, ()) if answer else ())
        for reader in self._readers:
            reader.ask()


class _Answer:
    def __init__(self, source: Source) -> None:
        started = time.monotonic()
        self.reading: Reading = {metric: list(values) for metric, values in source.read().items()}
        self.at = time.monotonic()
        self.seconds = self.at - started


class _Reader:
    """One source, and what it answered last."""

    def __init__(self, source: Source, pool: ThreadPoolExecutor) -> None:
        self.source, self._pool, self._lock = source, pool, Lock()
        self._asked: Future[_Answer] | None = None
        self._asked_at = self._known_at = -inf
        self._newest: _Answer | None = None
        self._problem = ""

    @property
    def is_stale(self) -> bool:
        """Whether what is known of it, be it that it is down, is too old to be served."""
        with self._lock:
            self._take()
            return time.monotonic() > self._known_at + self.source.every.total_seconds() + STALE

    def ask(self) -> Future[_Answer] | None:
        """Asks it when that is due; the question that is new, None when it was asked before."""
        with self._lock:
            self._take()
            now = time.monotonic()
            if self._asked or now - self._asked_at < self.source.every.total_seconds():
                return None
            self._asked, self._asked_at = self._pool.submit(_Answer, self.source), now
            return self._asked

    def answer(self, now: float) -> _Answer | None:
        """The newest one; None when the newest question brought none, or is overdue."""
        with self._lock:
            self._take()
            if self._asked and now - self._asked_at > OVERDUE:
                self._is_down(f"has not answered for {OVERDUE:g} s")
            return self._newest

    def _take(self) -> None:
        if self._asked is None or not self._asked.done():
            return
        asked, self._asked = self._asked, None
        self._known_at = self._asked_at
        problem = asked.exception()
        if problem:
            self._is_down(" ".join(str(problem).split()) or type(problem).__name__)
        else:
            self._newest, self._problem = asked.result(), ""

    def _is_down(self, problem: str) -> None:
        self._newest = None
        if problem != self._problem:
            _LOG.warning("no metrics of %s: %s", self.source.name, problem)
        self._problem = problem
