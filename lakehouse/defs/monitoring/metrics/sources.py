"""Everything that is asked for metrics, and the collector over it, for whoever serves `/metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from lakehouse.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.defs.monitoring.metrics.declared import Assets
    from lakehouse.observability.metrics.collector import PlatformCollector
    from lakehouse.observability.metrics.source import Source


def platform_sources(settings: Settings, instance: dg.DagsterInstance, declared: Assets) -> Sequence[Source]:
    """The sources by the settings; nothing is asked here."""
    from lakehouse.defs.monitoring.metrics.datasets import datasets
    from lakehouse.defs.monitoring.metrics.lag import lag
    from lakehouse.defs.monitoring.metrics.partitions import partitions
    from lakehouse.observability.alerts.store import alert_store
    from lakehouse.observability.metadata.database import metadata_database
    from lakehouse.observability.metrics import lake, postgres, queries, runs, syncs
    from lakehouse.observability.metrics.alerts import alerts

    database = metadata_database(settings)
    return (
        syncs.syncs(database),
        syncs.airbyte(settings),
        lake.lake(settings),
        lake.disks(settings),
        postgres.postgres(settings.postgres),
        queries.queries(settings, database),
        datasets(instance, declared),
        lag(instance, declared),
        partitions(database, declared),
        runs.runs(instance, database),
        runs.daemons(instance),
        alerts(alert_store(settings)),
    )


def platform_collector(
    settings: Settings, instance: dg.DagsterInstance, declared: Assets
) -> PlatformCollector:
    """All metrics of docs/metrics.md but those that the REST API counts of itself.

    Register it on the registry that a server exposes: `registry.register(platform_collector(...))`. That asks nobody.
    """
    from lakehouse.observability.metrics.collector import PlatformCollector

    return PlatformCollector(platform_sources(settings, instance, declared))
