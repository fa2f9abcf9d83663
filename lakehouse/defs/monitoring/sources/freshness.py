"""Assets that are older than their policy allows."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.defs.monitoring.freshness_state import freshness_of
from lakehouse.defs.monitoring.look import Look
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity

_SEVERITIES = {"WARN": Severity.WARNING, "FAIL": Severity.CRITICAL}


def stale_assets(look: Look) -> Iterator[Alert]:
    """One alert an asset; what was never made is not late."""
    policies = {key: facts.freshness for key, facts in look.assets.items() if facts.freshness}
    for key, fresh in freshness_of(look.instance, policies, look.now).items():
        if fresh.state in _SEVERITIES:
            name = key.to_user_string()
            made = f"{fresh.made_at:%Y-%m-%d %H:%M} UTC" if fresh.made_at else "an unknown time"
            yield Alert(
                name=AlertName.ASSET_STALE,
                subject=name,
                severity=_SEVERITIES[fresh.state],
                summary=f"{name} was last made at {made}, which its freshness policy does not allow",
                starts_at=fresh.since,
                **look.labels([key]),
            )
