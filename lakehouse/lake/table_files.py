"""The current data files of an Iceberg table, by the period they hold, and as DuckDB reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DateType

from lakehouse.errors import PermanentError
from lakehouse.lake.column_types import duckdb_type
from lakehouse.lake.duckdb_session import literal
from lakehouse.lake.filesystem import readable
from lakehouse.lake.periods import Period, granularity_of, read_stored

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

FILE = "__lakehouse_file"


@dataclass(frozen=True)
class TableFile:
    """One data file; `day` is its partition's period, None without one."""

    data_file: DataFile
    day: Period | None

    @property
    def path(self) -> str:
        """The file as DuckDB names it."""
        return readable(self.data_file.file_path)

    @property
    def rows(self) -> int:
        return int(self.data_file.record_count)


def current_files(table: Table, where: BooleanExpression | None = None) -> list[TableFile]:
    """The data files of the current snapshot; with `where` those whose statistics allow such rows.

    Raises:
        PermanentError: files carry row-level deletes, which this merge neither writes nor applies.
    """
    files = []
    for task in table.scan(row_filter=where or AlwaysTrue()).plan_files():
        if task.delete_files:
            raise PermanentError(
                f"{'.'.join(table.name())} has row-level deletes, which another engine wrote",
                where=task.file.file_path,
                remedy="compact the table, and set write.delete.mode to copy-on-write there",
            )
        files.append(TableFile(task.file, _period(table, task.file)))
    return files


def read_files(table: Table, files: Sequence[TableFile]) -> str:
    """SQL of a DuckDB relation: the rows of `files` with the table's current columns, and `FILE`.

    Columns are found by Iceberg's field ids, so files from before a schema change read rightly.
    """
    paths = ", ".join(literal(file.path) for file in files)
    fields = ", ".join(
        f"{field.field_id}: {{name: {literal(field.name)}, type: {literal(duckdb_type(field.field_type))},"
        " default_value: NULL}"
        for field in table.schema().fields
    )
    return f"read_parquet([{paths}], schema = MAP {{{fields}}}, filename = {literal(FILE)})"


def rows_by_day(files: Iterable[TableFile]) -> dict[Period | None, int]:
    """Rows of each partition; the one partition None when the table has none."""
    rows: dict[Period | None, int] = {}
    for file in files:
        rows[file.day] = rows.get(file.day, 0) + file.rows
    return rows


def _period(table: Table, data_file: DataFile) -> Period | None:
    """None also for partitions by something else than time."""
    if len(data_file.partition) == 0:
        return None
    (field, *_) = table.spec().fields
    dates = isinstance(table.schema().find_type(field.source_id), DateType)
    if isinstance(field.transform, IdentityTransform) and not dates:
        return None
    granularity = granularity_of(field.transform)
    return read_stored(data_file.partition[0], granularity) if granularity else None
