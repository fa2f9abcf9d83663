"""Syncs as the metadata database has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metadata.records import put
from lakehouse.observability.metadata.tables import sync_history
from lakehouse.observability.metrics.syncs import syncs
from lakehouse_tests.observability.metrics.read import scrape

START = datetime(2026, 11, 22, 1, tzinfo=UTC)


@pytest.fixture
def metadata(tmp_path: Path) -> MetadataDatabase:
    return MetadataDatabase(f"sqlite:///{tmp_path}/metadata.db")


def sync(
    metadata: MetadataDatabase,
    connection: str,
    minute: int,
    *,
    seconds: float,
    rows: int,
    status: str = "succeeded",
) -> None:
    started = START + timedelta(minutes=minute)
    row = {
        "connection": connection, "job_id": minute, "started": started, "ended": started + timedelta(seconds=seconds),
        "status": status, "rows": rows, "bytes": rows * 10, "failure": "" if status == "succeeded" else "no",
    }  # fmt: skip
    with metadata.transaction() as told:
        put(told, sync_history, [row])


def test_records_durations_and_failures(metadata: MetadataDatabase) -> None:
    sync(metadata, "shop", 1, seconds=4, rows=100)
    sync(metadata, "shop", 2, seconds=40, rows=20, status="failed")
    sync(metadata, "flights", 90, seconds=1, rows=5)
    found = scrape([syncs(metadata)])
    assert found["airbyte_records_synced_total", "shop"] == 120
    assert found["airbyte_bytes_synced_total", "shop"] == 1200
    assert found["airbyte_sync_failures_total", "shop"] == 1
    assert found["airbyte_sync_failures_total", "flights"] == 0
    assert found["airbyte_sync_duration_seconds_count", "shop"] == 2
    assert found["airbyte_sync_duration_seconds_sum", "shop"] == 44
    assert found["airbyte_sync_duration_seconds_bucket", "shop", "5.0"] == 1
    assert found["airbyte_last_sync_succeeded", "shop"] == 0
    assert (
        found["airbyte_last_sync_timestamp_seconds", "flights"]
        == (START + timedelta(minutes=90, seconds=1)).timestamp()
    )


def test_each_sync_counts_once_also_of_a_connection_that_is_known_later(metadata: MetadataDatabase) -> None:
    sync(metadata, "shop", 50, seconds=1, rows=10)
    assert scrape([syncs(metadata)])["airbyte_records_synced_total", "shop"] == 10
    sync(metadata, "shop", 51, seconds=1, rows=1)
    sync(metadata, "flights", 2, seconds=1, rows=7)
    for _ in range(2):
        found = scrape([syncs(metadata)])
        assert found["airbyte_records_synced_total", "shop"] == 11
        assert found["airbyte_records_synced_total", "flights"] == 7
    assert found["airbyte_last_sync_succeeded", "shop"] == 1


def test_nothing_was_synced_yet(metadata: MetadataDatabase) -> None:
    assert scrape([syncs(metadata)])["lakehouse_metrics_source_up", "syncs"] == 1
