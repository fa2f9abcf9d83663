"""Slow queries, reflections and what they are good for, and what the lake takes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from lakehouse.api.operation import Nothing
from lakehouse.api.platform import Platform


class SlowQuery(msgspec.Struct):
    job_id: str
    user: str
    sql: str
    """Its beginning, on one line."""
    datasets: str
    accelerated: bool
    started: datetime
    seconds: float


class SlowQueryList(msgspec.Struct):
    """The slowest of the last day first."""

    items: list[SlowQuery]


class Reflection(msgspec.Struct):
    key: str
    dataset: str
    status: str | None
    """As Dremio called it when it was last refreshed; null for one that never was."""
    rows: int | None
    bytes: int | None
    refreshed: datetime | None
    refresh_seconds: float | None
    used: int
    """Queries of the last day that it answered."""
    saved_seconds: float | None
    """Against the median of the same day's queries of the same datasets without a reflection; null without such."""


class ReflectionList(msgspec.Struct):
    items: list[Reflection]


class Storage(msgspec.Struct):
    layer: str
    objects: int
    bytes: int


class StorageList(msgspec.Struct):
    """Counted every five minutes at most."""

    items: list[Storage]


class QueriesWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class WarehouseOperations:
    """The three operations."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def list_slow_queries(self, wanted: QueriesWanted) -> SlowQueryList:
        slowest = sorted(self._platform.work().queries, key=lambda query: query.seconds, reverse=True)
        return SlowQueryList(
            [
                SlowQuery(
                    query.job_id,
                    query.user,
                    query.sql,
                    query.datasets,
                    query.accelerated,
                    query.started,
                    round(query.seconds, 3),
                )
                for query in slowest[: wanted.limit]
            ]
        )

    def list_reflections(self, _: Nothing) -> ReflectionList:
        facts, uses = self._platform.facts(), self._platform.work().uses
        found = []
        for dataset in self._platform.graph.datasets.values():
            if dataset.layer != "reflections":
                continue
            fact = facts.of(dataset.key)
            told = fact.figures
            use = uses.get(str(told.get("dremio/reflection_id")))
            found.append(
                Reflection(
                    dataset.key,
                    dataset.upstream[0],
                    told.get("dremio/status"),
                    told.get("dagster/row_count"),
                    told.get("bytes"),
                    fact.made_at,
                    told.get("seconds"),
                    use.times if use else 0,
                    use.saved_seconds if use else None,
                )
            )
        return ReflectionList(found)

    def list_storage(self, _: Nothing) -> StorageList:
        usage = self._platform.usage()
        return StorageList([Storage(layer, found.objects, found.bytes) for layer, found in usage.items()])
