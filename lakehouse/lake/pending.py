"""Which landed objects a merge has to read, given what the table has consumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse.lake.landed_schema import LandedFile, read_footers
from lakehouse.lake.layout import LandingObject, list_landing

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from lakehouse.lake.merge_spec import MergeSpec
    from lakehouse.lake.watermark import Lsn, Watermark
    from lakehouse.settings import Settings


@dataclass(frozen=True)
class Pending:
    """The objects to read, in the order of delivery."""

    files: tuple[LandedFile, ...]
    """Those that hold rows of interest; some may have been consumed before and are read again."""
    consumed: tuple[LandingObject, ...]
    """Those that this merge consumes, the ones without rows of interest included."""
    floor: Lsn | None
    """Log positions below this one were applied by earlier syncs."""
    before: Watermark | None
    """The table's watermark; None for a table to be computed from all of landing."""

    @property
    def objects(self) -> tuple[LandingObject, ...]:
        return tuple(file.landing for file in self.files)


def find_pending(
    settings: Settings, filesystem: FileSystem, spec: MergeSpec, watermark: Watermark | None
) -> Pending | None:
    """What is landed and not in the table yet; None when there is nothing.

    When a part of the newest consumed sync appears late, the sync's other parts are read again with it: only
    together are the versions of a key in order.
    """
    since = watermark.epoch if watermark else None
    listed = list_landing(settings, spec.source, spec.stream, since)
    new = [found for found in listed if watermark is None or not watermark.consumed(found)]
    if not new:
        return None
    if spec.mode == "overwrite":
        everything = list_landing(settings, spec.source, spec.stream) if watermark else listed
        files = _newest_generation(read_footers(filesystem, everything))
        return Pending(tuple(files), tuple(new), None, watermark)
    first = new[0].epoch_ms
    objects = [found for found in listed if found.epoch_ms >= first]
    files = [file for file in read_footers(filesystem, objects) if file.rows]
    floor = None
    if watermark:
        floor = watermark.floor if first == watermark.epoch else watermark.lsn
    return Pending(tuple(files), tuple(new), floor, watermark)


def _newest_generation(files: Sequence[LandedFile]) -> list[LandedFile]:
    """The objects of the last delivered generation.

    They are taken from the end: a connection that was made anew counts its generations from the start again.
    Objects without rows say nothing about a generation and are passed over.
    """
    newest: list[LandedFile] = []
    for file in reversed([file for file in files if file.rows]):
        if newest and file.generation != newest[0].generation:
            break
        newest.append(file)
    return newest[::-1]
