"""`lakehouse metrics`: every metric as Prometheus reads it, once."""

from __future__ import annotations

_PATIENCE_SECONDS = 60.0


def metrics() -> None:
    """Print every metric once, as `/metrics` serves it; docs/metrics.md lists them.

    A source that does not answer has `lakehouse_metrics_source_up` 0; why is told on standard error.
    """
    import dagster as dg
    from prometheus_client import CollectorRegistry

    from lakehouse.defs.monitoring.metrics.declared import declared_assets
    from lakehouse.defs.monitoring.metrics.sources import platform_sources
    from lakehouse.defs.project import declared_datasets
    from lakehouse.embedded.dagster_home import dagster_home
    from lakehouse.observability.metrics.collector import PlatformCollector
    from lakehouse.observability.metrics.exposition import exposition
    from lakehouse.settings import load_settings

    settings, assets = load_settings(), declared_assets(declared_datasets())
    with dg.DagsterInstance.from_config(str(dagster_home(settings.home))) as instance:
        registry = CollectorRegistry()
        sources = platform_sources(settings, instance, lambda: assets)
        registry.register(PlatformCollector(sources, patience=_PATIENCE_SECONDS))
        print(exposition(registry).decode(), end="")
