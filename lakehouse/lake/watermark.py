"""How far a bronze table has consumed its landing, kept in the summary of the snapshot that applied it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pyiceberg.conversions import from_bytes
from pyiceberg.types import LongType

from lakehouse.errors import PermanentError
from lakehouse.lake.landed_schema import GENERATION_ID
from lakehouse.lake.table_files import current_files

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from lakehouse.lake.layout import LandingObject

WATERMARK_PROPERTY = "lakehouse.watermark"

Lsn = int | float | str
"""A log position: a number from Postgres and MySQL, a fixed-width string from SQL Server."""


@dataclass(frozen=True)
class Watermark:
    """Everything landed before `epoch`, and `objects` of it, is in the table.

    The syncs of one connection run one after another, so a new object is never of an older epoch; but within
    an epoch the destination may publish part 2 before part 1. That is why the epoch's objects are named, and
    why `floor` is kept: the part that comes late holds log positions below `lsn` that were never applied.
    """

    epoch: int
    """Milliseconds since 1970 of the newest consumed sync."""
    objects: tuple[str, ...]
    """Names of the objects consumed at `epoch`."""
    lsn: Lsn | None = None
    """The highest applied log position of the newest generation; None without CDC."""
    floor: Lsn | None = None
    """The highest log position of the newest generation applied by the syncs before `epoch`."""
    generations: Mapping[int, str | None] = field(default_factory=dict)
    """The generations whose rows the table may hold, with each one's newest object as
    `date=YYYY-MM-DD/<name>`; None where it is not known (written before generations were kept)."""

    @property
    def generation(self) -> int | None:
        """The newest applied generation."""
        return max(self.generations, default=None)

    def to_json(self) -> str:
        """The snapshot property's value."""
        values = {"epoch": self.epoch, "objects": list(self.objects), "lsn": self.lsn, "floor": self.floor}
        return json.dumps(values | {"generations": {str(id_): at for id_, at in self.generations.items()}})

    @classmethod
    def from_json(cls, text: str) -> Watermark:
        """Raises ValueError or KeyError when the text is no watermark."""
        values = json.loads(text)
        generations = {int(id_): at for id_, at in values.get("generations", {}).items()}
        return cls(values["epoch"], tuple(values["objects"]), values["lsn"], values.get("floor"), generations)

    def consumed(self, landing: LandingObject) -> bool:
        """Whether the table already holds the object's rows."""
        return landing.epoch_ms < self.epoch or (
            landing.epoch_ms == self.epoch and landing.name in self.objects
        )


def read_watermark(table: Table) -> Watermark | None:
    """How far a bronze table got; None for one that was never written to.

    Raises:
        PermanentError: the table has snapshots, but none that says how far it got.
    """
    watermark = find_watermark(table)
    if watermark is None and table.current_snapshot() is not None:
        raise PermanentError(
            f"no snapshot of {'.'.join(table.name())} has a {WATERMARK_PROPERTY}",
            where=table.location(),
            remedy="its history was expired or something else wrote it; rebuild the table from landing",
        )
    if watermark is not None and watermark.objects and not watermark.generations:
        # An earlier version wrote it: the table's rows say which generations were applied.
        return replace(watermark, generations=dict.fromkeys(_generations_of(table)))
    return watermark


def find_watermark(table: Table) -> Watermark | None:
    """The watermark of the newest snapshot that has one, if any.

    Other writers (compaction, SQL) commit snapshots without one, so the search goes back in history.
    """
    from pyiceberg.table.snapshots import ancestors_of

    for snapshot in ancestors_of(table.current_snapshot(), table.metadata):
        text = snapshot.summary.get(WATERMARK_PROPERTY) if snapshot.summary else None
        if text:
            return Watermark.from_json(text)
    return None


def advance(
    before: Watermark | None,
    consumed: Sequence[LandingObject],
    generations: Mapping[int, str | None],
    lsn: Lsn | None,
    older_lsn: Lsn | None,
) -> Watermark:
    """The watermark once `consumed` is applied, which may be nothing.

    `lsn` is the highest log position among the applied rows of the newest generation, `older_lsn` that of
    the syncs before the newest. Positions count within one generation: a database that was made anew starts
    with lower ones.
    """
    epoch = max([landing.epoch_ms for landing in consumed] + ([before.epoch] if before else []), default=0)
    names = {landing.name for landing in consumed if landing.epoch_ms == epoch}
    reached, floor = (before.lsn, before.floor) if before else (None, None)
    if before and before.epoch == epoch:
        names |= set(before.objects)
    else:
        floor = reached
    if before and before.generation not in (None, max(generations, default=None)):
        reached = floor = None
    return Watermark(
        epoch,
        tuple(sorted(names)),
        lsn=_highest(reached, lsn),
        floor=_highest(floor, older_lsn),
        generations=generations,
    )


def _highest(one: Lsn | None, other: Lsn | None) -> Lsn | None:
    known = [position for position in (one, other) if position is not None]
    return max(known) if known else None


def _generations_of(table: Table) -> list[int]:
    """The lowest and the highest generation of each data file, from Iceberg's statistics."""
    column = table.schema().find_field(GENERATION_ID).field_id
    found: set[int] = set()
    for file in current_files(table):
        for bounds in (file.data_file.lower_bounds, file.data_file.upper_bounds):
            if bounds and column in bounds:
                found.add(int(from_bytes(LongType(), bounds[column])))
    return sorted(found)
