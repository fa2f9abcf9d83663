"""The lake's root URL -> a pyarrow file system, and the same place as other readers take it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from lakehouse.settings import Settings


def open_filesystem(settings: Settings) -> FileSystem:
    """The file system of `settings.lake`: local files, or S3 with the options of `settings.s3`."""
    from pyarrow.fs import LocalFileSystem, S3FileSystem

    if settings.lake.startswith("file://"):
        return LocalFileSystem()
    s3 = settings.s3
    options: dict[str, str] = {}
    if s3.endpoint:
        endpoint = urlsplit(s3.endpoint if "://" in s3.endpoint else f"https://{s3.endpoint}")
        options |= {"endpoint_override": endpoint.netloc, "scheme": endpoint.scheme}
    if region := s3_region(settings):
        options["region"] = region
    if s3.access_key_id and s3.secret_access_key:
        options |= {
            "access_key": s3.access_key_id,
            "secret_key": s3.secret_access_key.get_secret_value(),
        }
    return S3FileSystem(**options)


def s3_region(settings: Settings) -> str | None:
    """The bucket's region; servers other than AWS take any, and asking AWS for theirs would be wrong."""
    return settings.s3.region or ("us-east-1" if settings.s3.endpoint else None)


def path_of(url: str) -> str:
    """A lake URL as the path that the pyarrow file system knows.

    >>> path_of("file:///srv/lake/landing"), path_of("s3://datalake/landing")
    ('/srv/lake/landing', 'datalake/landing')
    """
    return url.removeprefix("file://").removeprefix("s3://")


def readable(url: str) -> str:
    """A lake URL as DuckDB takes it: a plain path for a local file, the URL itself for S3."""
    return path_of(url) if url.startswith("file://") else url
