"""The text that Prometheus reads."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Not OpenMetrics: a name such as `lake_objects_total` is no gauge there."""


def exposition(registry: CollectorRegistry) -> bytes:
    """All metrics in Prometheus' text format 0.0.4."""
    return generate_latest(registry)
