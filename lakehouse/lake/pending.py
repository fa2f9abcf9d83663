"""Which landed objects a merge has to read, given what the table has consumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lakehouse.lake.generations import (
    begins_anew,
    lowest_in_landing,
    newest_generation,
    newest_objects,
    refuse_falling,
)
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
    before: Watermark | None
    """The table's watermark; None for a table to be computed from all of landing."""
    generations: Mapping[int, str | None]
    """Generations whose rows the table may hold afterwards, each with its newest object."""
    whole: bool = False
    """The files are the table's whole content: rows of other keys go."""
    lowest: int | None = None
    """Rows of lower generations are gone from the source, and from landing; None when there are none."""
    retried: tuple[int, ...] = ()
    """The files that are in quarantine, by their place. Only their keys count, and everything was consumed."""

    @property
    def objects(self) -> tuple[LandingObject, ...]:
        return tuple(file.landing for file in self.files)

    @property
    def floor(self) -> Lsn | None:
        """Positions of the generation `before.generation` below this one were applied by earlier syncs."""
        if self.before is None or not self.files or self.whole or self.retried:
            return None
        same_sync = self.files[0].landing.epoch_ms == self.before.epoch
        return self.before.floor if same_sync else self.before.lsn


def find_pending(
    settings: Settings, filesystem: FileSystem, spec: MergeSpec, watermark: Watermark | None
) -> Pending | None:
    """What is landed and not in the table yet, or gone from landing and still in it; None when there is nothing.

    When a part of the newest consumed sync appears late, the sync's other parts are read again with it: only
    together are the versions of a key in order.

    Raises:
        PermanentError: a file that is no landing object; generations that fall, see `generations`.
    """
    find = _whole_generation if spec.mode == "overwrite" else _changes
    pending = find(settings, filesystem, spec, watermark)
    if pending is None and watermark is None and not spec.rebuild and spec.columns_without_rows:
        return Pending((), (), None, {})
    return pending


def _whole_generation(
    settings: Settings, filesystem: FileSystem, spec: MergeSpec, watermark: Watermark | None
) -> Pending | None:
    new = _unconsumed(_listed(settings, spec, watermark), watermark)
    if not new and not (watermark and watermark.generations and spec.emptied_after(watermark)):
        return None
    everything = list_landing(settings, spec.source, spec.stream)
    if not new:
        return None if everything else Pending((), (), watermark, {}, whole=True)
    files = newest_generation(read_footers(filesystem, everything))
    return Pending(tuple(files), tuple(new), watermark, newest_objects(files), whole=True)


def _changes(
    settings: Settings, filesystem: FileSystem, spec: MergeSpec, watermark: Watermark | None
) -> Pending | None:
    pending = _landed_changes(settings, filesystem, spec, watermark)
    if pending is None or pending.whole:
        return pending
    lowest = lowest_in_landing(settings, filesystem, spec, pending.generations)
    if lowest is None:
        return pending if pending.consumed else None
    # The older objects go once the new generation is complete. What was listed may be from before that:
    # now that they are gone, the listing has all of it.
    pending = _landed_changes(settings, filesystem, spec, watermark) or pending
    kept = {generation: at for generation, at in pending.generations.items() if generation >= lowest}
    return replace(pending, generations=kept, lowest=lowest)


def _landed_changes(
    settings: Settings, filesystem: FileSystem, spec: MergeSpec, watermark: Watermark | None
) -> Pending | None:
    """What is landed and not consumed; without objects when nothing is and older generations are known."""
    listed = _listed(settings, spec, watermark)
    new = _unconsumed(listed, watermark)
    if watermark is not None and not new:
        return Pending((), (), watermark, watermark.generations) if len(watermark.generations) > 1 else None
    if not new:
        return None
    objects = [found for found in listed if found.epoch_ms >= new[0].epoch_ms]
    footers = read_footers(filesystem, objects)
    files = [file for file in footers if file.tells]
    refuse_falling(spec, files)
    if watermark is None:
        files = files or footers[-1:]  # the columns of a table without rows
        return Pending(tuple(files), tuple(new), None, newest_objects(files), whole=spec.rebuild)
    if begins_anew(files, watermark):
        everything = list_landing(settings, spec.source, spec.stream)
        files = [file for file in read_footers(filesystem, everything) if file.tells]
        refuse_falling(spec, files)
        return Pending(tuple(files), tuple(new), None, newest_objects(files), whole=True)
    generations = {**watermark.generations, **newest_objects(files)}
    # Superseded rows that were applied once are not applied again: their generation's floor is not known.
    current = watermark.generation
    files = [
        file for file in files if not watermark.consumed(file.landing) or current in (None, file.generation)
    ]
    return Pending(tuple(files), tuple(new), watermark, generations)


def _listed(settings: Settings, spec: MergeSpec, watermark: Watermark | None) -> list[LandingObject]:
    return list_landing(settings, spec.source, spec.stream, watermark.epoch if watermark else None)


def _unconsumed(listed: Sequence[LandingObject], watermark: Watermark | None) -> list[LandingObject]:
    return [found for found in listed if watermark is None or not watermark.consumed(found)]
