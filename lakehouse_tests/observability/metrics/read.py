"""What a scrape has, as tests look at it."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from lakehouse.observability.metrics.collector import PlatformCollector
from lakehouse.observability.metrics.exposition import exposition
from lakehouse.observability.metrics.source import Source

Samples = dict[tuple[str, ...], float]


def samples(text: str) -> Samples:
    """The value of every sample, by its name and the values of its labels in the order of their names."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(sources: Iterable[Source]) -> Samples:
    """What a server that has just started gives."""
    registry = CollectorRegistry()
    registry.register(PlatformCollector(list(sources), patience=60))
    return samples(exposition(registry).decode())
