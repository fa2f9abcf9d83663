"""What Dagster knows of the datasets: how fresh, when last made, with what figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from lakehouse.defs.checks.lag import NAME as LAG_CHECK
from lakehouse.defs.declared_graph import Graph
from lakehouse.defs.monitoring.freshness_state import freshness_of
from lakehouse.defs.policies import freshness_policy


@dataclass(frozen=True)
class Fact:
    """Of one dataset."""

    state: str
    """pass, warn, fail or unknown."""
    since: datetime | None
    made_at: datetime | None
    run_id: str | None = None
    lag_seconds: int | None = None
    """How long ago the newest moment is of which every change in the source is merged."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Metadata of the newest materialization."""


@dataclass(frozen=True)
class Facts:
    """Of all datasets, by key, as of one moment."""

    at: datetime
    by_key: Mapping[str, Fact]

    def of(self, key: str) -> Fact:
        """Of a dataset that was declared after the look, nothing is known yet."""
        return self.by_key.get(key) or Fact("unknown", None, None)


def look(instance: dg.DagsterInstance, graph: Graph) -> Facts:
    """One look at the instance, for all datasets at once."""
    now = datetime.now(UTC)
    policies = {
        dg.AssetKey(key.split("/")): freshness_policy(found.promised) for key, found in graph.datasets.items()
    }
    fresh = freshness_of(instance, policies, now)
    events = instance.get_latest_materialization_events(list(policies))
    facts = {}
    for key, state in fresh.items():
        event = events.get(key)
        made = event.asset_materialization if event else None
        facts["/".join(key.path)] = Fact(
            state.state.lower(),
            state.since,
            state.made_at,
            event.run_id if event else None,
            _lag(instance, key) if key.path[0] == "bronze" else None,
            {name: value.value for name, value in made.metadata.items()} if made else {},
        )
    return Facts(now, facts)


def _lag(instance: dg.DagsterInstance, key: dg.AssetKey) -> int | None:
    record = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(key, LAG_CHECK))
    event = record.event.dagster_event if record and record.event else None
    result = event.event_specific_data if event else None
    if not isinstance(result, dg.AssetCheckEvaluation) or "lag_seconds" not in result.metadata:
        return None
    return int(str(result.metadata["lag_seconds"].value))
