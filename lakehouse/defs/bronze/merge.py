"""The merge, and which days it changed as far as those downstream must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.automation.history import History
from lakehouse.defs.bronze.spec import merge_spec
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from lakehouse.lake.merge_spec import MergeResult, MergeSpec
    from lakehouse.lake.quarantine import QuarantineFile

_EXAMPLES = 5


@dataclass(frozen=True)
class Merged:
    result: MergeResult
    uri: str
    rows: dict[date | None, int]
    """Rows of every partition of the table; the one partition None when it has none."""
    changed: frozenset[date | None]
    """Partitions that differ from what the last materialization event told."""
    recovered: bool
    """The table was committed to without an event (the process was killed): all of it counts as changed."""

    quarantine: tuple[QuarantineFile, ...]
    """Landed rows of the stream that may not enter the table, of this merge and of earlier ones."""
    examples: tuple[str, ...]
    """Some of these rows, the newest object's, each as a JSON object."""

    @property
    def changed_rows(self) -> int:
        """Rows that differ from what the last event told; the whole table after a lost event."""
        if self.recovered:
            return max(1, self.result.rows)
        return self.result.inserted + self.result.updated + self.result.deleted


def merge_and_describe(table: BronzeTable, settings: Settings, history: History) -> Merged:
    """Merge everything pending; `history` tells what the newest events of the table and its stream said.

    Raises:
        PermanentError, TransientError: as `merge_table` does.
    """
    from lakehouse.lake.iceberg import open_catalog
    from lakehouse.lake.merge import merge_table
    from lakehouse.lake.quarantine import list_quarantine

    spec = merge_spec(table, settings, history.landed_nothing_at(dg.AssetKey(table.landing_key)))
    last_snapshot = history.snapshot(dg.AssetKey(table.key))
    catalog = open_catalog(settings)
    before, _ = _state(catalog, spec.identifier)
    result = merge_table(spec, settings, catalog)
    _, rows = _state(catalog, spec.identifier)
    recovered = before is not None and before != last_snapshot
    changed = frozenset(result.partitions) | (frozenset(rows) if recovered else frozenset())
    quarantine = tuple(list_quarantine(settings, spec, result.watermark))
    examples = _examples(settings, spec, quarantine)
    return Merged(result, spec.location, rows, changed, recovered, quarantine, examples)


def _examples(settings: Settings, spec: MergeSpec, files: Sequence[QuarantineFile]) -> tuple[str, ...]:
    from lakehouse.lake.duckdb_session import duckdb_session
    from lakehouse.lake.quarantine import json_rows

    if not files:
        return ()
    with duckdb_session(settings, spec.name) as connection:
        return tuple(json_rows(connection, files[-1:], limit=_EXAMPLES))


def _state(catalog: Catalog, identifier: tuple[str, str]) -> tuple[int | None, dict[date | None, int]]:
    from pyiceberg.exceptions import NoSuchTableError

    from lakehouse.lake.table_files import current_files, rows_by_day

    try:
        table = catalog.load_table(identifier)
    except NoSuchTableError:
        return None, {}
    snapshot = table.current_snapshot()
    return (snapshot.snapshot_id if snapshot else None), rows_by_day(current_files(table))
