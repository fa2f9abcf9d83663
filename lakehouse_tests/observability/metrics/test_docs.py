"""docs/metrics.md lists the metrics that there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from lakehouse.defs.monitoring.metrics.sources import platform_sources
from lakehouse.observability.metrics.collector import AGE, SECONDS, UP
from lakehouse.observability.metrics.metric import Metric
from lakehouse.settings import load_settings

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
SPECIFIED = (
    "airbyte_records_synced_total", "airbyte_sync_duration_seconds", "airbyte_sync_failures_total",
    "minio_disk_usage_bytes", "minio_objects_total", "postgres_connections_active", "dremio_query_duration_seconds",
    "dremio_reflection_refresh_seconds", "dbt_model_execution_time", "superset_dashboard_load_time",
    "superset_query_cache_hit_rate",
)  # fmt: skip
"""SPECIFICATION, "Monitoring"; `api_requests_per_second` is a rule over what the REST API counts."""


def rows(home: Path) -> Iterator[tuple[str, Metric]]:
    with dg.DagsterInstance.ephemeral() as instance:
        for source in platform_sources(load_settings(home), instance, dict):
            for metric in source.metrics:
                yield source.name, metric
    for metric in (UP, SECONDS, AGE):
        yield "", metric


def table(home: Path) -> str:
    lines = ["| metric | kind | labels | source | what it tells |", "|---|---|---|---|---|"]
    for source, metric in rows(home):
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {source} | {metric.about} |")
    return "\n".join(lines)


def test_the_table_is_that_of_the_code(tmp_path: Path) -> None:
    assert table(tmp_path) in PAGE.read_text()


def test_every_specified_name_is_there(tmp_path: Path) -> None:
    assert set(SPECIFIED) <= {metric.name for _, metric in rows(tmp_path)}


def test_names_are_unique(tmp_path: Path) -> None:
    names = [metric.name for _, metric in rows(tmp_path)]
    assert sorted(set(names)) == sorted(names)
