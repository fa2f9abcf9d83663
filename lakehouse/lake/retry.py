"""Puts rows from quarantine through the merge again, after the contract or the table was corrected.

The rows alone do not say what became of their keys since: a later version may have changed or deleted them. So
everything landed since the oldest of them is read again, for their keys only, and the newest version of each
is what enters bronze, by the merge's own order. Where landing no longer has later objects (retention removed
them), a deletion among those cannot be seen.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from lakehouse.lake.commit import load
from lakehouse.lake.duckdb_session import DEFAULT_MEMORY_LIMIT, duckdb_session
from lakehouse.lake.filesystem import open_filesystem
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.landed_schema import LandedFile, read_footers
from lakehouse.lake.layout import list_landing
from lakehouse.lake.merge import Order, apply_pending, merge_table, repeated
from lakehouse.lake.pending import Pending
from lakehouse.lake.quarantine import PREFIX, QuarantineFile, list_quarantine
from lakehouse.lake.watermark import read_watermark

if TYPE_CHECKING:
    from lakehouse.lake.merge_spec import MergeResult, MergeSpec
    from lakehouse.lake.watermark import Watermark
    from lakehouse.settings import Settings


def retry_quarantine(spec: MergeSpec, settings: Settings) -> MergeResult:
    """Merge what is pending, then the rows in quarantine that may enter by now; the others stay there.

    Interrupted after its commit it leaves rows in quarantine that are in bronze; the next retry removes them.

    Raises:
        PermanentError, TransientError: as `merge_table` does.
    """
    catalog = open_catalog(settings)
    merged = merge_table(spec, settings, catalog)

    def attempt() -> MergeResult:
        table = load(catalog, spec)
        watermark = read_watermark(table) if table else None
        files = list_quarantine(settings, spec, watermark)
        if not files or watermark is None:
            return merged
        pending = _again(settings, spec, watermark, files)
        with duckdb_session(settings, spec.name, DEFAULT_MEMORY_LIMIT) as connection:
            return apply_pending(connection, Order(spec, settings, uuid.uuid4().hex), catalog, table, pending)

    return repeated(spec, attempt)


def _again(
    settings: Settings, spec: MergeSpec, watermark: Watermark, quarantine: list[QuarantineFile]
) -> Pending:
    """The files in quarantine, and the objects landed since, of the generations that the table may hold."""
    filesystem = open_filesystem(settings)
    since = min(file.place.epoch_ms for file in quarantine)
    landed = [
        found
        for found in list_landing(settings, spec.source, spec.stream, since)
        if watermark.consumed(found)
    ]
    rejected = {file.place.url for file in quarantine}
    files = [
        _without_ours(file)
        for file in read_footers(filesystem, [*(file.place for file in quarantine), *landed])
        if file.generation in watermark.generations
    ]
    # A row that may enter by now is in both; its place in the landed object decides, so that one comes later.
    files.sort(key=lambda file: (file.landing.order, file.landing.url not in rejected))
    places = tuple(place for place, file in enumerate(files) if file.landing.url in rejected)
    return Pending(tuple(files), (), watermark, watermark.generations, retried=places)


def _without_ours(file: LandedFile) -> LandedFile:
    kept = {name: kind for name, kind in file.columns.items() if not name.startswith(PREFIX)}
    return replace(file, columns=kept)
