"""What a check may look at: the table in the lake, Dremio, what the check found before, and the days of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable, Model
from lakehouse.defs.checks.before import Before, found_before
from lakehouse.defs.partitions import days_between
from lakehouse.errors import PermanentError
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from lakehouse.clients.dremio import DremioClient
    from lakehouse.lake.table_files import TableFile

MANY_ROWS, AT_MOST_EVERY = 1_000_000, timedelta(hours=1)
"""A table of more rows is read whole once in that time, however often it is materialized."""

_PREPARED: set[str] = set()
"""The addresses of which this process knows that they have the lake's source: asking costs more than a check."""

T = TypeVar("T")
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
    grows_old: bool = False
    """Time alone makes it fail: it is looked at also while nothing is materialized."""
    remembers: bool = False
    """It needs what it found at earlier times, so that each look has to be told, whatever comes of it."""


@dataclass(frozen=True)
class Stored:
    """A table of the lake as its Iceberg metadata tells."""

    table: Table
    files: list[TableFile]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def snapshot(self) -> str:
        """As text: Iceberg's ids do not fit into the numbers of a browser."""
        snapshot = self.table.current_snapshot()
        return str(snapshot.snapshot_id) if snapshot else "none"


class Look:
    """One look at the lake for all checks of a step: what several of them need is read once."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, days: Days | None) -> None:
        self.settings = settings
        self.instance = instance
        self.days = days
        """First and last day of the run; None when the run is of no days."""
        self.now = datetime.now(UTC)
        self._stored: dict[str, Stored] = {}
        self._told: set[str] = set()
        self._asked: dict[str, Any] = {}

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
                table = self.catalog.load_table(dataset.relation.parts[1:])
            except NoSuchTableError:
                remedy = "materialize it"
                raise PermanentError("there is no such table yet", where=name, remedy=remedy) from None
            self._stored[name] = Stored(table, current_files(table))
        return self._stored[name]

    def stored_now(self, dataset: Dataset) -> Stored:
        """`stored`, read anew: other runs merge while this one looks."""
        self._stored.pop(str(dataset.relation), None)
        return self.stored(dataset)

    def ask(
        self, dataset: Dataset, columns: str, *, rest: str = "", whole: bool = False
    ) -> list[dict[str, Any]]:
        """`SELECT columns FROM dataset`, over Flight, and only of the run's days where the dataset has days.

        `whole` is for every day.

        Raises:
            ServiceDownError, ServiceRefusedError, TransientError: Dremio is down, or refuses the statement.
        """
        from lakehouse.clients.dremio import quoted

        relation = quoted(*dataset.relation.parts)
        if self.settings.iceberg.type == "rest" and relation not in self._told:
            # A real Dremio does not see at once what others commit; the embedded engine does.
            self._dremio.execute(f"ALTER TABLE {relation} REFRESH METADATA")
            self._told.add(relation)
        sql = f"SELECT {columns} FROM {relation}{'' if whole else self._where(dataset)} {rest}"  # noqa: S608  as the project declares
        return self._dremio.query(sql).to_pylist()

    def is_of_days(self, dataset: Dataset) -> bool:
        """Whether `ask` reads only some days of the dataset."""
        return self.days is not None and dataset.partition_by is not None

    def before(self, dataset: Dataset, check: str, most: int = 1) -> list[Before]:
        """What the check found before, newest first."""
        return found_before(self.instance, dg.AssetCheckKey(dg.AssetKey(dataset.key), check), most)

    def once(self, name: str, ask: Callable[[], T]) -> T:
        """What `ask` gives, asked once a look."""
        if name not in self._asked:
            self._asked[name] = ask()
        answer: T = self._asked[name]
        return answer

    def spared(self, dataset: Dataset, check: str, *whole: Dataset) -> Facts | None:
        """What the check found lately, where it would read a big table whole: that is done once an hour."""
        if all(self.stored(table).rows <= MANY_ROWS for table in whole if is_table(table)):
            return None
        return self.lately(dataset, check, AT_MOST_EVERY)

    def lately(self, dataset: Dataset, check: str, within: timedelta) -> Facts | None:
        """What the check found when it last asked, if that was well and not longer ago than this."""
        for before in self.before(dataset, check):
            asked = before.metadata.get("asked_at")
            if before.passed and asked and self.now - datetime.fromtimestamp(float(asked), UTC) < within:
                return {"passed": True, "description": before.description, "metadata": before.metadata}
        return None

    def asked_now(self) -> dict[str, float]:
        """The metadata that `lately` looks for: seconds since 1970."""
        return {"asked_at": self.now.timestamp()}

    def close(self) -> None:
        if "_dremio" in self.__dict__:
            self._dremio.close()

    def _where(self, dataset: Dataset) -> str:
        from lakehouse.clients.dremio import quoted

        if self.days is None or dataset.partition_by is None:
            return ""
        day = f"CAST({quoted(dataset.partition_by.column)} AS DATE)"
        return f" WHERE {day} >= DATE '{self.days[0]}' AND {day} <= DATE '{self.days[1]}'"

    @cached_property
    def catalog(self) -> Catalog:
        """The Iceberg catalogue of the lake."""
        from lakehouse.lake.iceberg import open_catalog

        return open_catalog(self.settings)

    @cached_property
    def _dremio(self) -> DremioClient:
        from lakehouse.clients.dremio import DremioClient
        from lakehouse.clients.lake_source import prepare_dremio

        if self.settings.dremio.url not in _PREPARED:
            prepare_dremio(self.settings)
            _PREPARED.add(self.settings.dremio.url)
        return DremioClient(self.settings.dremio)


@contextmanager
def looking(settings: Settings, instance: dg.DagsterInstance, run: dg.DagsterRun | None) -> Iterator[Look]:
    """A look for the checks of one step of a run, or of no run."""
    look = Look(settings, instance, _days_of(run) if run else None)
    try:
        yield look
    finally:
        look.close()


def is_table(dataset: Dataset) -> bool:
    """Whether the dataset has rows of its own in the lake."""
    return isinstance(dataset, BronzeTable) or dataset.materialized != "view"


def _days_of(run: dg.DagsterRun) -> Days | None:
    """The first and the last day of a run; None when it is of no days."""
    if key := run.tags.get("dagster/partition"):
        return days_between(key, key)
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    return days_between(first, last) if first and last else None
