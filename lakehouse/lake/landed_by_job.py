"""What one Airbyte job landed of a stream, told by the statistics in its objects' footers."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from lakehouse.errors import TransientError
from lakehouse.lake.filesystem import path_of
from lakehouse.lake.landed_schema import AIRBYTE_META, CDC_CURSOR, GENERATION_ID, LSN

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from lakehouse.lake.layout import LandingObject

_SYNC_ID = f"{AIRBYTE_META}.sync_id"
_POSITIONS = (LSN, CDC_CURSOR)
_READERS = 8

Range = tuple[int, int]


@dataclass(frozen=True)
class LandedByJob:
    """The objects of one job, and what their statistics say; None where they say nothing."""

    objects: tuple[LandingObject, ...]
    generations: Range | None
    """Lowest and highest `_airbyte_generation_id`."""
    log: Range | None
    """First and last position in the source's log: `_ab_cdc_lsn` of Postgres, `_ab_cdc_cursor` of MySQL."""

    @property
    def bytes(self) -> int:
        return sum(found.size for found in self.objects)


def landed_by_job(filesystem: FileSystem, objects: Sequence[LandingObject], job_id: int) -> LandedByJob:
    """Those of the objects that the job wrote: `_airbyte_meta.sync_id` is a job's id.

    An object without statistics of it counts as the job's.

    Raises:
        TransientError: an object vanished since it was listed.
    """
    with ThreadPoolExecutor(_READERS) as readers:
        footers = list(readers.map(lambda found: _ranges(filesystem, found), objects))
    mine = [
        (found, ranges)
        for found, ranges in zip(objects, footers, strict=True)
        if ranges.get(_SYNC_ID, (job_id, job_id)) == (job_id, job_id)
    ]
    log = _span(ranges[name] for _, ranges in mine for name in _POSITIONS if name in ranges)
    generations = _span(ranges[GENERATION_ID] for _, ranges in mine if GENERATION_ID in ranges)
    return LandedByJob(tuple(found for found, _ in mine), generations, log)


def _ranges(filesystem: FileSystem, landing: LandingObject) -> dict[str, Range]:
    """Least and greatest value of the columns of interest, as far as there are statistics."""
    try:
        metadata = pq.read_metadata(path_of(landing.url), filesystem=filesystem)
    except FileNotFoundError as error:
        raise TransientError("landed object vanished while it was read", where=landing.url) from error
    wanted = {_SYNC_ID, GENERATION_ID, *_POSITIONS}
    leaves = {metadata.schema.column(i).path: i for i in range(metadata.num_columns)}
    ranges: dict[str, Range] = {}
    for name in wanted & leaves.keys():
        statistics: list[Any] = [
            metadata.row_group(group).column(leaves[name]).statistics
            for group in range(metadata.num_row_groups)
        ]
        told = [(int(s.min), int(s.max)) for s in statistics if s is not None and s.has_min_max]
        if told and len(told) == len(statistics):
            ranges[name] = _span(told) or told[0]
    return ranges


def _span(ranges: Any) -> Range | None:
    found = list(ranges)
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None
