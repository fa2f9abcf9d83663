"""What the lake and its disks hold."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from lakehouse.lake.filesystem import path_of
from lakehouse.lake.usage import usage_by_layer
from lakehouse.observability.metrics.metric import Metric
from lakehouse.observability.metrics.source import Reading, Source
from lakehouse.settings import Settings

_USAGE, _OBJECTS = "Bytes of the lake's objects, by layer.", "Objects of the lake, by layer."
USAGE = Metric("lake_disk_usage_bytes", "gauge", _USAGE, ("layer",))
OBJECTS = Metric("lake_objects_total", "gauge", _OBJECTS, ("layer",))
MINIO_USAGE = Metric("minio_disk_usage_bytes", "gauge", f"{_USAGE} Of a lake on S3 only.", ("layer",))
MINIO_OBJECTS = Metric("minio_objects_total", "gauge", f"{_OBJECTS} Of a lake on S3 only.", ("layer",))
DISK_SIZE = Metric("lakehouse_disk_size_bytes", "gauge", "Size of the disk of home and lake.", ("disk",))
DISK_FREE = Metric(
    "lakehouse_disk_free_bytes", "gauge", "What is free on the disk of home and lake.", ("disk",)
)


def lake(settings: Settings) -> Source:
    """Every object is listed, therefore seldom."""

    def read() -> Reading:
        usage = usage_by_layer(settings)
        by_layer = {
            USAGE: [((layer,), float(found.bytes)) for layer, found in usage.items()],
            OBJECTS: [((layer,), float(found.objects)) for layer, found in usage.items()],
        }
        if settings.lake.startswith("s3://"):
            return {**by_layer, MINIO_USAGE: by_layer[USAGE], MINIO_OBJECTS: by_layer[OBJECTS]}
        return by_layer

    return Source("lake", (USAGE, OBJECTS, MINIO_USAGE, MINIO_OBJECTS), read, timedelta(minutes=5))


def disks(settings: Settings) -> Source:
    """The disks of the home directory and of a lake in files; two on one disk are told of once."""
    places = {"home": settings.home}
    if settings.lake.startswith("file://"):
        places["lake"] = Path(path_of(settings.lake))

    def read() -> Reading:
        import psutil

        devices, usages = set(), {}
        for name, folder in places.items():
            there = next(path for path in (folder, *folder.parents) if path.exists())
            if there.stat().st_dev not in devices:
                devices.add(there.stat().st_dev)
                usages[name] = psutil.disk_usage(str(there))
        return {
            DISK_SIZE: [((name,), usage.total) for name, usage in usages.items()],
            DISK_FREE: [((name,), usage.free) for name, usage in usages.items()],
        }

    return Source("disks", (DISK_SIZE, DISK_FREE), read, timedelta(seconds=10))
