"""Alerts that nobody wants to hear of for a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from lakehouse.observability.alerts.alert import Alert


@dataclass(frozen=True)
class Silence:
    """Alerts whose key or asset fits the pattern are not told until then."""

    pattern: str
    until: datetime

    def covers(self, alert: Alert) -> bool:
        return fnmatchcase(alert.key, self.pattern) or (
            bool(alert.asset) and fnmatchcase(alert.asset, self.pattern)
        )


def silenced_by(silences: Sequence[Silence]) -> Callable[[Alert], bool]:
    """Whether one of them covers an alert."""
    return lambda alert: any(silence.covers(alert) for silence in silences)
