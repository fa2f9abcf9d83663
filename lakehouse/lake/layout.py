"""Where everything is in the lake (DESIGN, "The lake"), and the listing of what Airbyte landed.

Landing is `<lake>/landing/<source>/<stream>/date=YYYY-MM-DD/<epoch ms>_<part>.parquet`, which is what
Airbyte's destination-s3 writes with `s3_bucket_path` `landing` and the path format
`${NAMESPACE}/${STREAM_NAME}/date=${YEAR}-${MONTH}-${DAY}/${EPOCH}_`. All of these variables are one instant,
the start of the sync, in UTC; therefore a directory's date bounds the epochs in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from unicodedata import combining, normalize

from lakehouse.errors import PermanentError
from lakehouse.lake.filesystem import open_filesystem, path_of

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

    from lakehouse.settings import Settings

_DATE_DIRECTORY = re.compile(r"^date=(\d{4}-\d{2}-\d{2})$")
_OBJECT_NAME = re.compile(r"^(\d+)_(\d+)(?:-(\d+))?\.parquet$")
_HIDDEN_PREFIXES = (".", "_")
_TEMPORARY_SUFFIXES = (".tmp", ".crc", ".inprogress")


@dataclass(frozen=True)
class LandingObject:
    """One landed parquet object; `(epoch_ms, part, clash)` is its place in the order of delivery."""

    source: str
    stream: str
    date: date
    """Day of the sync's start, UTC."""
    epoch_ms: int
    """Start of the sync in milliseconds since 1970, UTC."""
    part: int
    """0-based; a later part holds later records of the same sync."""
    clash: int
    """Suffix that the destination adds when the name was taken (`_0-1.parquet` is 1); 0 without."""
    url: str
    size: int
    """Bytes."""

    @property
    def name(self) -> str:
        """The file's name, unique among the objects of one stream."""
        return self.url.rsplit("/", 1)[1]

    @property
    def place(self) -> str:
        """`date=YYYY-MM-DD/<name>`, below the stream's prefix."""
        return "/".join(self.url.rsplit("/", 2)[1:])

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts objects into the order of delivery."""
        return self.epoch_ms, self.part, self.clash


def landing_prefix(settings: Settings, source: str, stream: str) -> str:
    """URL under which Airbyte lands a stream."""
    return f"{settings.lake}/landing/{_safe(source)}/{_safe(stream)}"


def quarantine_prefix(settings: Settings, source: str, stream: str) -> str:
    """URL under which the landed rows of a stream are that may not enter bronze."""
    return f"{settings.lake}/landing_quarantine/{_safe(source)}/{_safe(stream)}"


def _safe(name: str) -> str:
    """A namespace's or stream's name as destination-s3 makes it safe for an object's key.

    >>> _safe("Bestellung Größe")
    'Bestellung_Gro_e'
    """
    plain = "".join(char for char in normalize("NFKD", name) if not combining(char))
    return re.sub(r"\s+", "_", re.sub(r"[^\w\-./!*'()\s]", "_", plain.strip(), flags=re.ASCII))


def bronze_location(settings: Settings, source: str, table: str) -> str:
    """URL of a bronze Iceberg table."""
    return f"{settings.lake}/bronze/{source}/{table}"


def model_location(settings: Settings, layer: str, model: str) -> str:
    """URL of a silver or gold Iceberg table."""
    return f"{settings.lake}/{layer}/{model}"


def logs_prefix(settings: Settings, service: str) -> str:
    """URL under which a service's logs are kept as `date=YYYY-MM-DD/*.json.gz`."""
    return f"{settings.lake}/logs/{service}"


def parse_landing_object(source: str, stream: str, url: str, size: int) -> LandingObject:
    """A landed object from its URL.

    Raises:
        PermanentError: the name or its directory is not what destination-s3 writes; names the URL.
    """
    directory, name = url.rsplit("/", 2)[1:]
    day, match = _DATE_DIRECTORY.match(directory), _OBJECT_NAME.match(name)
    if not day or not match:
        raise PermanentError(
            "not a landing object",
            where=url,
            remedy="expected date=YYYY-MM-DD/<epoch ms>_<part>.parquet; move the file out of landing/",
        )
    epoch_ms = int(match[1])
    if _utc_date(epoch_ms).isoformat() != day[1]:
        raise PermanentError(
            f"epoch {epoch_ms} is {_utc_date(epoch_ms)} in UTC, not the date of its directory",
            where=url,
            remedy="set the destination's path format to date=${YEAR}-${MONTH}-${DAY}/${EPOCH}_",
        )
    return LandingObject(
        source=source,
        stream=stream,
        date=date.fromisoformat(day[1]),
        epoch_ms=epoch_ms,
        part=int(match[2]),
        clash=int(match[3] or 0),
        url=url,
        size=size,
    )


def list_landing(
    settings: Settings,
    source: str,
    stream: str,
    since_epoch: int | None = None,
    *,
    prefix: str | None = None,
) -> list[LandingObject]:
    """The landed objects of a stream in the order of delivery; none when nothing was ever landed.

    `prefix` is another URL under which there are such objects, by default that of landing.

    Hidden and temporary files are passed over. With `since_epoch` (milliseconds, inclusive) only the date
    directories that can hold such objects are listed: one request, and one more for each of those days.

    Raises:
        PermanentError: a file that is no landing object.
    """
    from pyarrow.fs import FileSelector, FileType

    filesystem = open_filesystem(settings)
    prefix = prefix or landing_prefix(settings, source, stream)
    first_day = _utc_date(since_epoch) if since_epoch is not None else date.min
    objects: list[LandingObject] = []
    for entry in filesystem.get_file_info(FileSelector(path_of(prefix), allow_not_found=True)):
        if _is_hidden(entry):
            continue
        day = _DATE_DIRECTORY.match(entry.base_name)
        if entry.type != FileType.Directory or not day:
            raise PermanentError(
                "not a date directory",
                where=f"{prefix}/{entry.base_name}",
                remedy="expected date=YYYY-MM-DD/; move it out of landing/",
            )
        if date.fromisoformat(day[1]) < first_day:
            continue
        directory = f"{prefix}/{entry.base_name}"
        objects += [
            parse_landing_object(source, stream, f"{directory}/{info.base_name}", info.size)
            for info in filesystem.get_file_info(FileSelector(entry.path, allow_not_found=True))
            if not _is_hidden(info)
        ]
    return sorted(
        (found for found in objects if since_epoch is None or found.epoch_ms >= since_epoch),
        key=lambda found: found.order,
    )


def _is_hidden(entry: FileInfo) -> bool:
    return entry.base_name.startswith(_HIDDEN_PREFIXES) or entry.base_name.endswith(_TEMPORARY_SUFFIXES)


def _utc_date(epoch_ms: int) -> date:
    return datetime.fromtimestamp(epoch_ms / 1000, tz=UTC).date()
