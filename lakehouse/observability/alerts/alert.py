"""What an alert is: one thing that is wrong now."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class AlertName(StrEnum):
    """Every kind of alert. Each has a section of its name in docs/alerts.md: its runbook."""

    ASSET_STALE = "AssetStale"
    RUN_FAILED = "RunFailed"
    SYNC_FAILED = "SyncFailed"
    CHECK_FAILED = "CheckFailed"
    TICK_FAILED = "TickFailed"
    DAEMON_DOWN = "DaemonDown"
    SERVICE_DOWN = "ServiceDown"
    SLOW_QUERIES = "SlowQueries"
    DISK_FILLING = "DiskFilling"
    NOTIFICATIONS_UNDELIVERED = "NotificationsUndelivered"
    WATCHDOG = "Watchdog"
    TEST = "TestAlert"


class Severity(StrEnum):
    """Critical ones get through quiet hours."""

    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Grows with the severity."""
        return list(Severity).index(self)


PLATFORM_OWNER = "team:data"
PLATFORM_GROUP = "platform"


class Alert(BaseModel):
    """One thing that is wrong; `key` tells it from others, today and when it comes again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: AlertName
    subject: str
    """What it is about, inside its name: an asset, a check, a job, a disk."""
    severity: Severity
    summary: str
    """One line for people: what is wrong, and the numbers."""
    asset: str = ""
    """The asset's key as the Dagster UI shows it, `gold/fct_orders`; empty where there is not just one."""
    owner: str = PLATFORM_OWNER
    """As the asset declares it; several are joined by commas."""
    group: str = PLATFORM_GROUP
    starts_at: datetime | None = None
    """None: when it was first seen."""
    ends_at: datetime | None = None
    """None: it is firing."""

    @property
    def key(self) -> str:
        """The dedup key: `AssetStale/gold/fct_orders`."""
        return f"{self.name}/{self.subject}"

    def runbook(self, page: str) -> str:
        """Where that page says what it means, which command finds the cause, and the fix."""
        return f"{page}#{self.name.lower()}"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of Prometheus' world; `subject` tells alerts of one name and asset apart."""
        given = {
            "alertname": self.name.value,
            "subject": self.subject,
            "asset": self.asset,
            "group": self.group,
            "owner": self.owner,
            "severity": self.severity.value,
        }
        return {name: value for name, value in given.items() if value}


def watchdog() -> Alert:
    """The alert that always fires: when it stops arriving, nobody looks any more."""
    return Alert(
        name=AlertName.WATCHDOG,
        subject="alerts",
        severity=Severity.WARNING,
        summary="alerts are looked for; when this one ends, they are not",
    )
