"""The platform's metrics, beside those that the API counts of itself."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg
from prometheus_client import CollectorRegistry

from lakehouse.api.platform import Platform
from lakehouse.defs.monitoring.metrics.declared import DeclaredAsset
from lakehouse.defs.monitoring.metrics.sources import platform_collector
from lakehouse.defs.policies import freshness_policy


def register_platform(registry: CollectorRegistry, platform: Platform) -> None:
    """Have the registry collect all metrics of docs/metrics.md; asks nobody yet."""

    def declared() -> Mapping[dg.AssetKey, DeclaredAsset]:
        return {
            dg.AssetKey(key.split("/")): DeclaredAsset(
                found.layer, found.owner, freshness_policy(found.promised)
            )
            for key, found in platform.graph.datasets.items()
        }

    registry.register(platform_collector(platform.settings, platform.instance, declared))
