"""The pipeline without sources: what fires is given, and the time too."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lakehouse.observability.alerts.alert import Alert
from lakehouse.observability.alerts.declaration import Alerting
from lakehouse.observability.alerts.deliver import Delivered, deliver
from lakehouse.observability.alerts.silence import silenced_by
from lakehouse.observability.alerts.store import AlertStore
from lakehouse.observability.alerts.transitions import Found, changes
from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse_tests.observability.alerts.made import NOON


def alerting(**document: Any) -> Alerting:
    """Without routes everything goes to every sink."""
    return Alerting.model_validate(
        {"routes": [{"name": "all", "sinks": list(document["sinks"])}], **document}
    )


def store_of(home: Path) -> AlertStore:
    return AlertStore(MetadataDatabase(f"sqlite:///{home}/metadata.db"))


class Pipeline:
    def __init__(self, home: Path, rules: Alerting, now: datetime = NOON) -> None:
        self.store, self.rules, self.now = store_of(home), rules, now

    def tick(self, *alerts: Alert, looked: Collection[str] = ("test",), **later: float) -> Delivered:
        """A look that finds these, some time later (by default 15 seconds)."""
        self.now += timedelta(**(later or {"seconds": 15}))
        silences = self.store.silences(self.now)
        self.store.record(
            self.now,
            {},
            lambda before: changes(
                before,
                [Found("test", alert) for alert in alerts],
                looked,
                now=self.now,
                routes_of=self.rules.routes_of,
                silenced=silenced_by(silences),
                hold=self.rules.hold,
            ),
        )
        return deliver(self.store, self.rules, self.now)
