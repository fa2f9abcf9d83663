"""Partitions of a dataset: how many are made, and what became of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import dagster as dg
import msgspec
import sqlalchemy as sa

from lakehouse.api.operation import Limit, Offset
from lakehouse.api.platform import Platform
from lakehouse.api.problems import ApiError
from lakehouse.api.resources.datasets import DatasetKey, known
from lakehouse.defs.partitions import partitions_of
from lakehouse.observability.metadata.tables import partition_outcomes

_Partition = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}(-\d{2}(-\d{2}:\d{2})?)?$")]


class Partition(msgspec.Struct):
    partition: str
    made: bool
    outcome: str | None
    """Of its newest run: made, check failed, failed, left or planned; null where no run is remembered."""
    run_id: str | None
    ended: datetime | None
    rows: int | None


class PartitionList(msgspec.Struct):
    """Newest first. `made` and `missing` count all of the dataset's, whatever was asked for."""

    items: list[Partition]
    total: int
    made: int
    missing: int


class PartitionsWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dataset: DatasetKey
    first: _Partition | None = None
    last: _Partition | None = None
    limit: Limit = 100
    offset: Offset = 0


class Partitions:
    """The operation."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def list_partitions(self, wanted: PartitionsWanted) -> PartitionList:
        partitions = partitions_of(known(self._platform.graph, wanted.dataset).partition_by)
        if partitions is None:
            raise ApiError(400, f"{wanted.dataset} has no partitions")
        keys = partitions.get_partition_keys()
        made = self._platform.instance.get_materialized_partitions(dg.AssetKey(wanted.dataset.split("/")))
        asked = [key for key in reversed(keys) if (wanted.first or "") <= key <= (wanted.last or "~")]
        page = asked[wanted.offset : wanted.offset + wanted.limit]
        newest = self._newest(wanted.dataset, page) if page else {}
        there = len(made.intersection(keys))
        items = [_partition(key, key in made, newest.get(key)) for key in page]
        return PartitionList(items, len(asked), there, len(keys) - there)

    def _newest(self, dataset: str, page: list[str]) -> dict[str, sa.Row]:
        """The newest outcome of each of these, which are newest first."""
        table = partition_outcomes.c
        query = (
            sa.select(partition_outcomes)
            .where(table.asset == dataset, table.partition.between(page[-1], page[0]))
            .order_by(sa.func.coalesce(table.ended, table.started))
        )
        with self._platform.database.transaction() as connection:
            return {row.partition: row for row in connection.execute(query)}


def _partition(key: str, made: bool, outcome: sa.Row | None) -> Partition:
    if outcome is None:
        return Partition(key, made, None, None, None, None)
    return Partition(key, made, outcome.outcome, outcome.run_id, outcome.ended, outcome.rows)
