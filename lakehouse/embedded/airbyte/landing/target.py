"""Where landing files go: a directory or an S3 bucket. A file is visible whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import pyarrow.fs as pafs

from lakehouse.embedded.airbyte.landing.configuration import S3Configuration

INCOMPLETE = ".airbyte-incomplete"


class LandingTarget(Protocol):
    """Writes a job's files where no reader looks, then shows them all at once."""

    def open(self, job_id: int, key: str, /) -> Any:
        """A writable binary file for the object `key`; not visible before `publish`."""

    def publish(self, job_id: int, keys: Iterable[str], /) -> None:
        """Makes finished objects visible and durable."""

    def discard(self, job_id: int, keys: Iterable[str], /) -> None:
        """Removes what a job that did not commit left behind: unfinished files and the objects named."""

    def delete(self, keys: Iterable[str]) -> None:
        """Removes visible objects; one that is not there is fine."""

    def list(self, prefix: str) -> list[str]:
        """Keys of the visible objects under a directory-like prefix, in order."""

    def read(self, key: str) -> Any:
        """A visible object as a readable binary file."""


def landing_target(configuration: S3Configuration) -> LandingTarget:
    """The target a destination's configuration names; `s3_endpoint: file:///root` is a directory."""
    if configuration.s3_endpoint.startswith("file://"):
        return DirectoryTarget(directory_of(configuration.s3_endpoint))
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

    def open(self, job_id: int, key: str) -> Any:
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

    def read(self, key: str) -> Any:
        return (self._root / key).open("rb")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BucketTarget:
    """An S3 bucket: an object appears when its upload completes, so nothing needs a rename."""

    def __init__(self, configuration: S3Configuration) -> None:
        self._bucket = configuration.s3_bucket_name
        endpoint = urlsplit(configuration.s3_endpoint)
        self._files = pafs.S3FileSystem(
            access_key=configuration.access_key_id or None,
            secret_key=configuration.secret_access_key or None,
            region=configuration.s3_bucket_region or None,
            endpoint_override=endpoint.netloc or endpoint.path or None,
            scheme=endpoint.scheme or "https",
        )

    def _path(self, key: str) -> str:
        return f"{self._bucket}/{key}"

    def open(self, _job_id: int, key: str) -> Any:
        return self._files.open_output_stream(self._path(key))

    def publish(self, _job_id: int, _keys: Iterable[str]) -> None:
        """Nothing to do: the objects are there since their uploads completed."""

    def discard(self, _job_id: int, keys: Iterable[str]) -> None:
        self.delete(keys)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            if self._files.get_file_info(self._path(key)).type is pafs.FileType.File:
                self._files.delete_file(self._path(key))

    def list(self, prefix: str) -> list[str]:
        selector = pafs.FileSelector(self._path(prefix), recursive=True, allow_not_found=True)
        start = len(self._bucket) + 1
        return sorted(info.path[start:] for info in self._files.get_file_info(selector) if info.is_file)

    def read(self, key: str) -> Any:
        return self._files.open_input_file(self._path(key))
