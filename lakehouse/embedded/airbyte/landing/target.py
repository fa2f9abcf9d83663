"""Where landing files go: a directory here, or an S3 bucket (bucket.py). A file is visible whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import pyarrow.parquet as pq

from lakehouse.embedded.airbyte.landing.configuration import S3Configuration

INCOMPLETE = ".airbyte-incomplete"
GENERATION_KEY = "ab-generation-id"  # destination-s3 keeps it in the user metadata of every object


class LandingTarget(Protocol):
    """Writes a job's files where no reader looks, then shows them all at once."""

    def open(self, job_id: int, key: str, metadata: Mapping[str, str] | None = None, /) -> Any:
        """A writable binary file for the object `key`; not visible before `publish`.

        `metadata` is the object's user metadata, where the store has such a thing.
        """

    def publish(self, job_id: int, keys: Iterable[str], /) -> None:
        """Makes finished objects visible and durable."""

    def discard(self, job_id: int, keys: Iterable[str], /) -> None:
        """Removes what a job that did not commit left behind: unfinished files and the objects named."""

    def delete(self, keys: Iterable[str]) -> None:
        """Removes visible objects; one that is not there is fine."""

    def list(self, prefix: str) -> list[str]:
        """Keys of the visible objects under a directory-like prefix, in order."""

    def generation(self, key: str) -> int | None:
        """The generation id of a visible object, or None when it carries none."""


def landing_target(configuration: S3Configuration) -> LandingTarget:
    """The target a destination's configuration names; `s3_endpoint: file:///root` is a directory."""
    if configuration.s3_endpoint.startswith("file://"):
        return DirectoryTarget(directory_of(configuration.s3_endpoint))
    from lakehouse.embedded.airbyte.landing.bucket import BucketTarget

    return BucketTarget(configuration)


def directory_of(url: str) -> Path:
    """The absolute local directory of a file URL. Raises ValueError for another host or a relative path."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ValueError(f"{url}: a file URL is written file:///absolute/path")
    return Path(unquote(parts.path))


class DirectoryTarget:
    """A lake in a directory: written aside on the same file system, synced, then renamed into place."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _aside(self, job_id: int) -> Path:
        return self._root / INCOMPLETE / f"job-{job_id}"

    def open(self, job_id: int, key: str, _metadata: Mapping[str, str] | None = None) -> Any:
        path = self._aside(job_id) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")

    def publish(self, job_id: int, keys: Iterable[str]) -> None:
        directories = set()
        for key in keys:
            final = self._root / key
            final.parent.mkdir(parents=True, exist_ok=True)
            aside = self._aside(job_id) / key
            with aside.open("rb+") as written:
                os.fsync(written.fileno())
            aside.rename(final)
            directories |= {final.parent, *final.relative_to(self._root).parents[:-1]}
        for directory in directories:
            _sync_directory(self._root / directory)

    def discard(self, job_id: int, keys: Iterable[str]) -> None:
        self.delete(keys)
        shutil.rmtree(self._aside(job_id), ignore_errors=True)
        with contextlib.suppress(OSError):  # another job still writes there
            (self._root / INCOMPLETE).rmdir()

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self._root / key
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()

    def list(self, prefix: str) -> list[str]:
        found = (self._root / prefix).rglob("*")
        return sorted(str(path.relative_to(self._root)) for path in found if path.is_file())

    def generation(self, key: str) -> int | None:
        """Of the Parquet footer: files have no user metadata."""
        footer = pq.read_metadata(self._root / key).metadata or {}
        value = footer.get(GENERATION_KEY.encode())
        return None if value is None else int(value)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
