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
from lakehouse.observability.alerts.store import alert_store
from lakehouse.observability.alerts.transitions import Found, changes
from lakehouse_tests.observability.alerts.made import NOON


def alerting(**document: Any) -> Alerting:
    """Without routes everything goes to every sink."""
    return Alerting.model_validate(
        {"routes": [{"name": "all", "sinks": list(document["sinks"])}], **document}
    )


class Pipeline:
    def __init__(self, home: Path, rules: Alerting, now: datetime = NOON) -> None:
        self.home, self.rules, self.now = home, rules, now

    def tick(self, *alerts: Alert, looked: Collection[str] = ("test",), **later: float) -> Delivered:
        """A look that finds these, some time later (by default 15 seconds)."""
        self.now += timedelta(**(later or {"seconds": 15}))
        with alert_store(self.home) as store:
            silences = store.silences(self.now)
            store.record(
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
            return deliver(store, self.rules, self.now)
