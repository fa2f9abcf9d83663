"""Where metrics come from: one thing that is asked, and may not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from lakehouse.observability.metrics.metric import Distribution, Labels, Metric

Reading = Mapping[Metric, Iterable[tuple[Labels, float | Distribution]]]
"""The values of each metric, by the values of its labels."""


@dataclass(frozen=True)
class Source:
    """Asked in a thread of its own, and not again before `every` has passed."""

    name: str
    metrics: tuple[Metric, ...]
    read: Callable[[], Reading]
    """Raises when the source does not answer; no other source has less to say then."""
    every: timedelta
