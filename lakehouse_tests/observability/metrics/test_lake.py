"""The lake by layer, and its disks."""

from __future__ import annotations

from pathlib import Path

from lakehouse.observability.metrics.lake import disks, lake
from lakehouse.settings import load_settings
from lakehouse_tests.observability.metrics.read import scrape


def test_bytes_and_objects_by_layer(tmp_path: Path) -> None:
    for place, size in (
        ("landing/shop/orders/date=2026-11-22/1_0.parquet", 100),
        ("landing/shop/a", 1),
        ("gold/f/x", 7),
    ):
        path = tmp_path / "lake" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    found = scrape([lake(load_settings(tmp_path))])
    assert (found["lake_disk_usage_bytes", "landing"], found["lake_objects_total", "landing"]) == (101, 2)
    assert (found["lake_disk_usage_bytes", "gold"], found["lake_objects_total", "gold"]) == (7, 1)
    assert found["lake_objects_total", "silver"] == 0
    assert not any(name.startswith("minio_") for name, *_ in found)


def test_a_lake_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert scrape([lake(load_settings(tmp_path))])["lake_disk_usage_bytes", "bronze"] == 0


def test_two_places_on_one_disk_are_told_of_once(tmp_path: Path) -> None:
    found = scrape([disks(load_settings(tmp_path))])
    assert 0 < found["lakehouse_disk_free_bytes", "home"] < found["lakehouse_disk_size_bytes", "home"]
    assert ("lakehouse_disk_free_bytes", "lake") not in found
