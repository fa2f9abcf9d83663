"""What a merge is asked for, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from pyiceberg.types import IcebergType

from lakehouse.lake.contract import Contract
from lakehouse.lake.landed_columns import Drift
from lakehouse.lake.periods import Granularity
from lakehouse.lake.watermark import Watermark

Mode = Literal["append", "overwrite"]


@dataclass(frozen=True)
class PeriodPartition:
    """Partitions by the period (UTC) of a date or timestamp column."""

    column: str
    expression: str | None = None
    """DuckDB SQL that derives the column from the landed ones, where the source has no such column."""
    granularity: Granularity = "day"
    """Hours need a timestamp."""


@dataclass(frozen=True)
class MergeSpec:
    """One bronze table: the current rows of one landed stream."""

    identifier: tuple[str, str]
    """In the Iceberg catalogue: `("bronze", "shop__orders")`."""
    location: str
    """URL of the table's files: `<lake>/bronze/shop/orders`."""
    source: str
    stream: str
    primary_key: tuple[str, ...]
    mode: Mode
    """`append`: landed rows are changes, the newest version of each key stays (incremental, CDC, and
    full_refresh with append). `overwrite`: the newest landed generation is the whole content
    (full_refresh with overwrite)."""
    cursor_field: str | None = None
    """Orders the versions of a key where there is no `_ab_cdc_lsn`; then `_airbyte_extracted_at` does."""
    partition: PeriodPartition | None = None
    contract: Contract = field(default_factory=Contract)
    rebuild: bool = False
    """Compute the table from everything in landing, whatever was applied before."""
    landed_nothing_at: int | None = None
    """When the newest sync of the stream succeeded, in milliseconds since 1970, if it landed no row."""

    @property
    def name(self) -> str:
        """The table's name for people: `bronze.shop__orders`."""
        return ".".join(self.identifier)

    @property
    def granularity(self) -> Granularity:
        """The periods of the partitions; days where the table has none."""
        return self.partition.granularity if self.partition else "day"

    @property
    def columns_without_rows(self) -> dict[str, IcebergType]:
        """The columns of a table whose stream is synced and has landed no row yet: those its contract types.

        Empty while no sync says so, and where the contract leaves out the key or the day.
        """
        types = {name: column.type for name, column in self.contract.columns.items() if column.type}
        needed = {*self.primary_key, *([self.partition.column] if self.partition else [])}
        return types if self.landed_nothing_at is not None and needed <= types.keys() else {}

    def emptied_after(self, watermark: Watermark) -> bool:
        """Whether the source is known to have been empty after what the table has consumed.

        An empty source lands no object, and the destination removes those of older generations. But a landing
        without objects alone proves nothing: somebody may have removed them, or the lake's address may be
        wrong. It takes a sync that succeeded later and says that there was no row.
        """
        return self.landed_nothing_at is not None and self.landed_nothing_at > watermark.epoch


@dataclass(frozen=True)
class MergeResult:
    """What one merge did. Counts are of keys; a table without partitions has the one partition None."""

    identifier: tuple[str, str]
    partitions: dict[date | None, int]
    """Partitions whose rows changed, with their rows afterwards; None holds the rows without a day."""
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    """Keys landed without a difference: repeated, older than the table's row, or deleted before."""
    landed_rows: int
    """Rows read from landing, all versions of a key counted."""
    objects: tuple[str, ...]
    """Names of the landed objects that were consumed."""
    rows: int
    """Rows in the table afterwards."""
    bytes: int
    """Size of the table's current data files."""
    snapshot_id: int | None
    """The table's current snapshot; None while nothing was ever landed."""
    watermark: Watermark | None
    quarantined: int
    """Rows of the consumed objects that went to quarantine."""
    drift: tuple[Drift, ...]
    """Columns that differ from the contract and are to be warned of."""
    committed: bool
    """False when nothing was pending, so that there was nothing to commit."""
    seconds: float
