"""What a check may look at: the table in the lake, what the check found before, and the days of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable, Model
from lakehouse.errors import PermanentError
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from lakehouse.lake.table_files import TableFile

Dataset = BronzeTable | Model
Days = tuple[str, str]
Facts = dict[str, Any]
"""The fields of an AssetCheckResult: passed, severity, description, metadata."""


@dataclass(frozen=True)
class Kind:
    """One kind of check, made for every dataset it applies to."""

    name: str
    description: str
    applies: Callable[[Dataset], bool]
    look_at: Callable[[Dataset, Look], Facts]
    """Raises LakehouseError when it cannot be found out."""


@dataclass(frozen=True)
class Stored:
    """A table of the lake as its Iceberg metadata tells."""

    table: Table
    files: list[TableFile]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def snapshot_id(self) -> int | None:
        snapshot = self.table.current_snapshot()
        return snapshot.snapshot_id if snapshot else None


class Look:
    """One look at the lake for all checks of a step: what several of them need is read once."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, days: Days | None) -> None:
        self.settings = settings
        self.instance = instance
        self.days = days
        """First and last day of the run; None when the run is of no days."""
        self.now = datetime.now(UTC)
        self._stored: dict[str, Stored] = {}

    @cached_property
    def _catalog(self) -> Catalog:
        from lakehouse.lake.iceberg import open_catalog

        return open_catalog(self.settings)

    def stored(self, dataset: Dataset) -> Stored:
        """The dataset's table at its current snapshot.

        Raises:
            PermanentError: there is no such table, or it has row-level deletes.
            TransientError: the catalogue does not answer.
        """
        from pyiceberg.exceptions import NoSuchTableError

        from lakehouse.lake.table_files import current_files

        name = str(dataset.relation)
        if name not in self._stored:
            try:
                table = self._catalog.load_table(dataset.relation.parts[1:])
            except NoSuchTableError:
                remedy = "materialize it"
                raise PermanentError("there is no such table yet", where=name, remedy=remedy) from None
            self._stored[name] = Stored(table, current_files(table))
        return self._stored[name]


def is_table(dataset: Dataset) -> bool:
    """Whether the dataset has rows of its own in the lake."""
    return isinstance(dataset, BronzeTable) or dataset.materialized != "view"


def days_of(run: dg.DagsterRun) -> Days | None:
    """The first and the last day of a run; None when it is of no days."""
    if day := run.tags.get("dagster/partition"):
        return day, day
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    return (first, last) if first and last else None
