"""What is told of an alert: that it fires, and that it is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lakehouse.observability.alerts.alert import Alert, Severity

Transition = Literal["firing", "resolved"]
MOST_LINES = 50
"""Alerts that a message for people lists; it says how many more there are."""


@dataclass(frozen=True)
class Notification:
    """One transition of one alert for one sink. It is kept until the sink has it."""

    id: int
    sink: str
    route: str
    transition: Transition
    alert: Alert
    at: datetime
    """When the transition was seen."""


@dataclass(frozen=True)
class Message:
    """What one sink gets in one go: transitions of one route, oldest first."""

    route: str
    notifications: Sequence[Notification]
    runbooks: str
    """The page that the links to runbooks lead to."""
    at: datetime
    """When it is sent, which may be long after what it tells of."""

    @property
    def firing(self) -> int:
        return sum(told.transition == "firing" for told in self.notifications)

    @property
    def resolved(self) -> int:
        return len(self.notifications) - self.firing

    @property
    def severity(self) -> Severity:
        """The highest of those that fire; of all when none does."""
        firing = [told.alert.severity for told in self.notifications if told.transition == "firing"]
        every = firing or [told.alert.severity for told in self.notifications]
        return max(every, key=lambda severity: severity.rank)

    @property
    def subject(self) -> str:
        """A line that says it all when there is one alert, else how many there are."""
        if len(self.notifications) == 1:
            (told,) = self.notifications
            return f"[{_state(told)}] {told.alert.key}"
        counts = [f"{self.firing} firing"] * bool(self.firing) + [f"{self.resolved} resolved"] * bool(
            self.resolved
        )
        return f"[{', '.join(counts)}] " + ", ".join(
            sorted({told.alert.name.value for told in self.notifications})
        )

    def line(self, told: Notification) -> str:
        """All of it for people."""
        alert = told.alert
        return (
            f"[{_state(told)}] {alert.key}: {alert.summary} ({alert.owner}; {alert.runbook(self.runbooks)})"
        )

    def lines(self) -> Iterable[str]:
        """A line for each alert, of the first fifty."""
        yield from map(self.line, self.notifications[:MOST_LINES])
        more = len(self.notifications) - MOST_LINES
        if more > 0:
            yield f"… and {more} more; `lakehouse alerts list` shows what is firing"


def _state(told: Notification) -> str:
    return told.alert.severity.value if told.transition == "firing" else "resolved"
