"""What a table of the lake holds now, read from Iceberg's metadata alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NoSuchTableError

from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.table_files import current_files, rows_by_day
from lakehouse.lake.watermark import Watermark, find_watermark

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from lakehouse.settings import Settings


@dataclass(frozen=True)
class TableDescription:
    """One table at its current snapshot."""

    identifier: tuple[str, str]
    location: str
    rows: int
    bytes: int
    """Size of the current data files."""
    files: int
    snapshot_id: int | None
    """None for a table that was created and never written to."""
    committed_at: datetime | None
    """UTC."""
    partitions: dict[date | None, int]
    """Rows of each day; the one key None holds all rows of a table without day partitions."""
    watermark: Watermark | None
    """None for tables that no merge writes."""


def describe_table(
    identifier: tuple[str, str], settings: Settings, catalog: Catalog | None = None
) -> TableDescription | None:
    """The table's figures, or None when there is no such table.

    Raises:
        PermanentError: the table has row-level deletes, so that its rows cannot be told from its metadata.
        TransientError: the catalogue does not answer.
    """
    try:
        table = (catalog or open_catalog(settings)).load_table(identifier)
    except NoSuchTableError:
        return None
    files = current_files(table)
    snapshot = table.current_snapshot()
    return TableDescription(
        identifier=identifier,
        location=table.location(),
        rows=sum(file.rows for file in files),
        bytes=sum(file.data_file.file_size_in_bytes for file in files),
        files=len(files),
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        committed_at=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC) if snapshot else None,
        partitions=rows_by_day(files),
        watermark=find_watermark(table),
    )
