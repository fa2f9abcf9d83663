"""Generations of a landed stream: which is the newest, and which are gone from the source.

A full read, and a log-based read that starts over, begins a generation with a higher id. Its objects are a
complete snapshot followed by changes; the destination removes the objects of older generations when the
snapshot is complete, and not before. So what a bronze table holds of generations lower than the lowest one
that is in landing is gone from the source, and a generation of which only a part is landed removes nothing.

Of each generation the table remembers the newest object and asks for that one alone. Whatever else removes
old objects from landing (retention, a life-cycle rule of the bucket) must therefore keep the newest object of
every generation, or the rows of a generation that has a successor vanish with it. A landing from which
everything is gone says nothing: the rows stay until another generation lands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lakehouse.errors import PermanentError
from lakehouse.lake.filesystem import path_of
from lakehouse.lake.landed_schema import LandedFile, read_footers
from lakehouse.lake.layout import landing_prefix, list_landing

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

    from lakehouse.lake.merge_spec import MergeSpec
    from lakehouse.lake.watermark import Watermark
    from lakehouse.settings import Settings


def newest_objects(files: Sequence[LandedFile]) -> dict[int, str | None]:
    """Each generation with the place of its newest object; the files come in the order of delivery."""
    return {file.generation: file.landing.place for file in files if file.generation is not None}


def newest_generation(files: Sequence[LandedFile]) -> list[LandedFile]:
    """The objects of the last delivered generation.

    They are taken from the end: a connection that was made anew counts its generations from the start again.
    Objects without rows say nothing about a generation and are passed over, unless there are no others: the last
    one still has the columns.
    """
    newest: list[LandedFile] = []
    for file in reversed([file for file in files if file.rows] or files[-1:]):
        if newest and file.generation != newest[0].generation:
            break
        newest.append(file)
    return newest[::-1]


def lowest_in_landing(
    settings: Settings, filesystem: FileSystem, spec: MergeSpec, generations: Mapping[int, str | None]
) -> int | None:
    """The lowest generation in landing, when some of `generations` are lower; else None.

    Costs nothing while there is one generation, and one request for each object to ask for otherwise.
    """
    from pyarrow.fs import FileType

    if len(generations) < 2:
        return None
    if None in generations.values():  # an earlier version did not keep the objects: look at all of them
        everything = list_landing(settings, spec.source, spec.stream)
        landed = {file.generation for file in read_footers(filesystem, everything)} - {None}
    else:
        prefix = path_of(landing_prefix(settings, spec.source, spec.stream))
        found = filesystem.get_file_info([f"{prefix}/{place}" for place in generations.values()])
        landed = {
            generation
            for generation, info in zip(generations, found, strict=True)
            if info.type != FileType.NotFound
        }
    known = [generation for generation in landed if generation is not None]
    lowest = min(known, default=None)
    return lowest if lowest is not None and lowest > min(generations) else None


def refuse_falling(spec: MergeSpec, files: Sequence[LandedFile]) -> None:
    """Raises PermanentError when a later object is of a lower generation than one before it.

    Generations of one connection only rise. The objects of two connections cannot be put in order.
    """
    highest: LandedFile | None = None
    for file in files:
        if file.generation is None:
            continue
        if highest is not None and highest.generation is not None and file.generation < highest.generation:
            raise PermanentError(
                f"generation {file.generation} of {spec.name} follows generation {highest.generation}:"
                " its connection was made anew",
                where=file.landing.url,
                remedy=f"remove the objects of the former connection from landing, {highest.landing.name}"
                " and those before it; the table then is what is landed since",
            )
        highest = file


def begins_anew(files: Sequence[LandedFile], watermark: Watermark) -> bool:
    """Whether a later sync starts with a lower generation than was applied: another connection's."""
    later = [file.generation for file in files if file.landing.epoch_ms > watermark.epoch]
    current = watermark.generation
    return bool(later) and current is not None and later[0] is not None and later[0] < current
