"""How fresh assets are: the one place that reads it from Dagster.

Dagster's freshness daemon writes a state when it changes. `get_freshness_state_records` has no public mark; where it
is gone, or the daemon has said nothing of an asset yet, the state follows from the newest materialization and the
policy, by the daemon's own rules (dagster/_core/definitions/freshness_evaluator.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.freshness import CronFreshnessPolicy, TimeWindowFreshnessPolicy


@dataclass(frozen=True)
class Freshness:
    """`state` is PASS, WARN, FAIL or UNKNOWN, as Dagster writes them."""

    state: str
    since: datetime | None
    """When the state came about, where that is known."""
    made_at: datetime | None
    """The newest materialization."""


def freshness_of(
    instance: dg.DagsterInstance, policies: Mapping[dg.AssetKey, dg.FreshnessPolicy], now: datetime
) -> dict[dg.AssetKey, Freshness]:
    """The state of each asset that has a policy."""
    keys = list(policies)
    read = getattr(instance, "get_freshness_state_records", None)
    records = read(keys) if read and keys else {}
    newest = instance.get_latest_materialization_events(keys)
    found = {}
    for key, policy in policies.items():
        event = newest.get(key)
        made_at = datetime.fromtimestamp(event.timestamp, UTC) if event else None
        record = records.get(key)
        if record is not None:
            found[key] = Freshness(record.freshness_state.value, record.updated_at, made_at)
        else:
            found[key] = Freshness(computed(policy, made_at, now), None, made_at)
    return found


def computed(policy: dg.FreshnessPolicy, made_at: datetime | None, now: datetime) -> str:
    """The state by the policy; UNKNOWN before the first materialization, and for policies nobody knows."""
    from croniter import croniter

    if made_at is None:
        return "UNKNOWN"
    if isinstance(policy, TimeWindowFreshnessPolicy):
        age = now - made_at
        if age >= policy.fail_window.to_timedelta():
            return "FAIL"
        return "WARN" if policy.warn_window and age >= policy.warn_window.to_timedelta() else "PASS"
    if isinstance(policy, CronFreshnessPolicy):
        local = now.astimezone(ZoneInfo(policy.timezone))
        deadline: datetime = croniter(policy.deadline_cron, local).get_prev(datetime)
        return "PASS" if made_at >= deadline - policy.lower_bound_delta else "FAIL"
    return "UNKNOWN"
