"""What fires, from the store of alerts."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from lakehouse.observability.alerts.alert import AlertName, Severity
from lakehouse.observability.alerts.store import AlertStore
from lakehouse.observability.metrics.metric import Metric
from lakehouse.observability.metrics.source import Reading, Source

FIRING = Metric("lakehouse_alerts_firing", "gauge", "Alerts that fire.", ("name", "severity"))
UNDELIVERED = Metric("lakehouse_notifications_undelivered", "gauge", "Notifications that no sink has yet.")


def alerts(store: AlertStore) -> Source:
    """Alerts as docs/alerts.md has them; all names, those that do not fire as 0."""

    def read() -> Reading:
        firing = Counter((one.alert.name, one.alert.severity) for one in store.open().values())
        return {
            FIRING: [
                ((name.value, severity.value), firing[name, severity])
                for name in AlertName
                for severity in Severity
            ],
            UNDELIVERED: [((), len(store.undelivered()))],
        }

    return Source("alerts", (FIRING, UNDELIVERED), read, timedelta(seconds=5))
