"""Landed objects that may go: consumed by bronze, old, and not the newest of their generation.

A generation's newest object says that its rows are still in the source (`generations`), and a part that comes late has
the other objects of its sync read again (`pending`): both stay. So do objects that rows in quarantine wait with, since a
retry reads everything landed after them. A table that is built anew afterwards has only what is left; therefore a
connection has to ask for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lakehouse.lake.filesystem import open_filesystem, path_of
from lakehouse.lake.landed_schema import read_footers
from lakehouse.lake.layout import LandingObject, list_landing
from lakehouse.lake.quarantine import list_quarantine

if TYPE_CHECKING:
    from lakehouse.lake.merge_spec import MergeSpec
    from lakehouse.lake.watermark import Watermark
    from lakehouse.settings import Settings


def old_objects(
    settings: Settings, spec: MergeSpec, watermark: Watermark | None, kept: timedelta
) -> list[LandingObject]:
    """The objects of a stream that its bronze table no longer needs, oldest first.

    None of a table without a watermark, or with one of an earlier version, which did not keep the newest objects.
    None of a stream whose newest generation is a table's whole content either: the destination removes the others.

    Raises:
        PermanentError: a file that is no landing object.
    """
    if watermark is None or spec.mode == "overwrite" or None in watermark.generations.values():
        return []
    before = (datetime.now(UTC) - kept).timestamp() * 1000
    waiting = [file.place.epoch_ms for file in list_quarantine(settings, spec, watermark)]
    until = min([before, watermark.epoch, *waiting])
    landed = list_landing(settings, spec.source, spec.stream)
    old = [found for found in landed if found.epoch_ms < until and watermark.consumed(found)]
    if not old:
        return []
    # Also of generations that the watermark does not name: objects of a connection that was made anew.
    newest = {file.generation: file.landing.url for file in read_footers(open_filesystem(settings), landed)}
    needed = {*newest.values(), *_named(landed, watermark)}
    return [found for found in old if found.url not in needed]


def remove_objects(settings: Settings, objects: list[LandingObject]) -> int:
    """Delete them; gives their bytes. What another process removed meanwhile is passed over."""
    filesystem = open_filesystem(settings)
    size = 0
    for found in objects:
        try:
            filesystem.delete_file(path_of(found.url))
        except FileNotFoundError:
            continue
        size += found.size
    return size


def _named(landed: list[LandingObject], watermark: Watermark) -> set[str]:
    places = set(watermark.generations.values())
    return {found.url for found in landed if found.place in places}
