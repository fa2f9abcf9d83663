"""Every dataset: how fresh it is, how old, and what its newest materialization took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from lakehouse.defs.monitoring.freshness_state import freshness_of
from lakehouse.defs.monitoring.metrics.declared import Assets
from lakehouse.observability.metrics.metric import Labels, Metric
from lakehouse.observability.metrics.source import Reading, Source

_ASSET = ("asset", "group", "owner")
STATE = Metric(
    "lakehouse_asset_freshness_state",
    "gauge",
    "1 at the state that an asset's freshness policy gives it now, 0 at the others.",
    (*_ASSET, "state"),
)
AGE = Metric("lakehouse_asset_age_seconds", "gauge", "Since an asset was last materialized.", _ASSET)
DBT = Metric("dbt_model_execution_time", "gauge", "Seconds of a dbt model's newest execution.", ("model",))
REFLECTION = Metric(
    "dremio_reflection_refresh_seconds",
    "gauge",
    "What the newest refresh of a reflection took.",
    ("dataset", "reflection"),
)
LOAD = Metric(
    "superset_dashboard_load_time",
    "gauge",
    "Seconds that the charts of a dashboard took when it was last materialized.",
    ("dashboard",),
)
HIT_RATE = Metric(
    "superset_query_cache_hit_rate",
    "gauge",
    "Share of a dashboard's charts that came from the cache when it was last materialized, 0 to 1.",
    ("dashboard",),
)
STATES = ("PASS", "WARN", "FAIL", "UNKNOWN")


def datasets(instance: dg.DagsterInstance, declared: Assets) -> Source:
    """The assets of the graph, by Dagster's event log."""

    def read() -> Reading:
        assets, now = declared(), datetime.now(UTC)
        events = instance.get_latest_materialization_events(list(assets))
        newest = {key: event for key, event in events.items() if event}
        policies = {key: asset.freshness for key, asset in assets.items()}
        labels = {key: (key.to_user_string(), asset.group, asset.owner) for key, asset in assets.items()}
        metadata = {key: _metadata(event) for key, event in newest.items()}
        return {
            STATE: [
                ((*labels[key], state), float(state == fresh.state))
                for key, fresh in freshness_of(instance, policies, now).items()
                for state in STATES
            ],
            AGE: [
                (labels[key], max(0.0, now.timestamp() - event.timestamp)) for key, event in newest.items()
            ],
            DBT: _told(metadata, ("silver", "gold"), "Execution Duration", parts=1),
            REFLECTION: _told(metadata, ("reflections",), "seconds", parts=2),
            LOAD: _told(metadata, ("serving",), "load_seconds", parts=1),
            HIT_RATE: _told(metadata, ("serving",), "cache_hit_rate", parts=1),
        }

    return Source("datasets", (STATE, AGE, DBT, REFLECTION, LOAD, HIT_RATE), read, timedelta(seconds=10))


def _metadata(event: dg.EventLogEntry) -> Mapping[str, Any]:
    made = event.asset_materialization
    return {name: value.value for name, value in made.metadata.items()} if made else {}


def _told(
    metadata: Mapping[dg.AssetKey, Mapping[str, Any]], layers: Iterable[str], name: str, *, parts: int
) -> list[tuple[Labels, float]]:
    """A figure in the newest materialization of the assets of these layers, by the last parts of their keys."""
    return [
        (tuple(key.path[-parts:]), float(facts[name]))
        for key, facts in metadata.items()
        if key.path[0] in layers and isinstance(facts.get(name), int | float)
    ]
