"""The newest value of a column by Iceberg's statistics: no data file is opened."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pyiceberg.conversions import from_bytes
from pyiceberg.types import DateType, PrimitiveType, TimestampType, TimestamptzType
from pyiceberg.utils.datetime import days_to_date, micros_to_timestamptz

from lakehouse.errors import PermanentError

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from lakehouse.lake.table_files import TableFile


def newest_value(table: Table, files: Iterable[TableFile], column: str) -> date | datetime | None:
    """The largest date, or the largest timestamp in UTC; None without a value.

    Args:
        files: `current_files(table)`.

    Raises:
        PermanentError: no such column, one that is neither date nor timestamp, or a file without statistics of it.
    """
    field_id, kind = _field(table, column)
    bounds: list[Any] = []
    for file in files:
        written = file.data_file
        bound = (written.upper_bounds or {}).get(field_id)
        if bound is not None:
            bounds.append(from_bytes(kind, bound))
        elif (written.null_value_counts or {}).get(field_id) != file.rows:
            raise PermanentError(
                f"no statistics of column {column}",
                where=written.file_path,
                remedy="set write.metadata.metrics.default to full on the table, and rewrite it",
            )
    if not bounds:
        return None
    # Iceberg keeps days, and microseconds, since 1970.
    return days_to_date(max(bounds)) if isinstance(kind, DateType) else micros_to_timestamptz(max(bounds))


def _field(table: Table, column: str) -> tuple[int, PrimitiveType]:
    name = ".".join(table.name())
    try:
        field = table.schema().find_field(column)
    except ValueError:
        raise PermanentError(f"{name} has no column {column}", where=table.location()) from None
    kind = field.field_type
    if not isinstance(kind, DateType | TimestampType | TimestamptzType):
        raise PermanentError(
            f"column {column} of {name} is {kind}: no point in time",
            where=table.location(),
            remedy="name a date or a timestamp",
        )
    return field.field_id, kind
