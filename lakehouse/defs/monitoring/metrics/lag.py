"""How far tables that follow the log of a database are behind it, as the check `changes_are_merged` found it last."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from lakehouse.defs.checks.lag import NAME
from lakehouse.defs.monitoring.metrics.declared import Assets
from lakehouse.observability.metrics.metric import Labels, Metric
from lakehouse.observability.metrics.source import Reading, Source

LAG = Metric(
    "lakehouse_cdc_lag_seconds",
    "gauge",
    "Everything that was committed in the source until so long before the check looked is merged.",
    ("asset",),
)
UNREAD = Metric(
    "lakehouse_cdc_unread_bytes",
    "gauge",
    "Log of the source that was not landed when the check looked.",
    ("asset",),
)


def lag(instance: dg.DagsterInstance, declared: Assets) -> Source:
    """The bronze tables that have the check."""

    def read() -> Reading:
        found: dict[Metric, list[tuple[Labels, float]]] = {LAG: [], UNREAD: []}
        keys = [dg.AssetCheckKey(key, NAME) for key in declared() if key.path[0] == "bronze"]
        newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
        for key, record in newest.items():
            event = record.event.dagster_event if record.event else None
            result = event.event_specific_data if event else None
            if not isinstance(result, dg.AssetCheckEvaluation):
                continue
            labels = (key.asset_key.to_user_string(),)
            for metric, name in ((LAG, "lag_seconds"), (UNREAD, "unread_bytes")):
                if name in result.metadata:
                    found[metric].append((labels, float(result.metadata[name].value)))  # type: ignore[arg-type]
        return found

    return Source("lag", (LAG, UNREAD), read, timedelta(seconds=10))
