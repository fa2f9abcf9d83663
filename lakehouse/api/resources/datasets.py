"""Datasets: what they are, how fresh, what they are made of and what is made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from lakehouse.api.facts import Fact, Facts
from lakehouse.api.operation import Limit, Offset
from lakehouse.api.platform import Platform
from lakehouse.api.problems import ApiError
from lakehouse.catalog.datasets import Layer
from lakehouse.defs.declared_graph import Dataset as Declared
from lakehouse.defs.declared_graph import Graph

DatasetKey = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_.-]{1,255}(/[A-Za-z0-9_.-]{1,255}){1,2}$",
        description="the asset's key, such as gold/fct_orders",
    ),
]
State = Literal["pass", "warn", "fail", "unknown"]


class Freshness(msgspec.Struct):
    """`fail` is older than it may be; `unknown` was never made."""

    state: str
    since: datetime | None
    made_at: datetime | None
    """The newest materialization."""
    age_seconds: int | None
    warn_after_seconds: int | None
    fail_after_seconds: int
    lag_seconds: int | None
    """Of what a database's log fills: how long ago the newest moment is of which every change is merged."""


class Dataset(msgspec.Struct):
    key: str
    layer: str
    owner: str
    description: str
    relation: str | None
    """Its name in Dremio."""
    freshness: Freshness
    rows: int | None


class Column(msgspec.Struct):
    name: str
    type: str
    description: str
    made_of: list[str]
    """Columns of other datasets, `silver/stg_orders.amount`, as of its newest materialization."""


class Partitions(msgspec.Struct):
    column: str
    granularity: str
    start: str
    timezone: str


class DatasetDetail(Dataset):
    columns: list[Column]
    partitions: Partitions | None
    upstream: list[str]
    downstream: list[str]
    last_run_id: str | None


class DatasetList(msgspec.Struct):
    items: list[Dataset]
    total: int


class DatasetsWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    layer: Layer | None = None
    owner: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    state: State | None = None
    limit: Limit = 100
    offset: Offset = 0


class DatasetWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: DatasetKey
    depth: Annotated[int, msgspec.Meta(ge=1, le=50, description="steps of lineage up and down")] = 1


class Datasets:
    """Both operations."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def list_datasets(self, wanted: DatasetsWanted) -> DatasetList:
        facts = self._platform.facts()
        found = [
            declared
            for declared in self._platform.graph.datasets.values()
            if wanted.layer in (None, declared.layer)
            and wanted.owner in (None, declared.owner)
            and wanted.state in (None, facts.of(declared.key).state)
        ]
        page = found[wanted.offset : wanted.offset + wanted.limit]
        return DatasetList([summary(declared, facts) for declared in page], len(found))

    def get_dataset(self, wanted: DatasetWanted) -> DatasetDetail:
        graph, facts = self._platform.graph, self._platform.facts()
        declared = known(graph, wanted.key)
        fact = facts.of(declared.key)
        partitions = declared.partition_by
        return DatasetDetail(
            **msgspec.structs.asdict(summary(declared, facts)),
            columns=_columns(declared, fact),
            partitions=Partitions(
                partitions.column, partitions.granularity, partitions.start.isoformat(), partitions.timezone
            )
            if partitions
            else None,
            upstream=graph.upstream(declared.key, wanted.depth),
            downstream=graph.downstream(declared.key, wanted.depth),
            last_run_id=fact.run_id,
        )


def known(graph: Graph, key: str) -> Declared:
    """The dataset of that key. Raises ApiError (404) when there is none."""
    found = graph.datasets.get(key)
    if found is None:
        raise ApiError(404, f"no dataset is named {key}; GET /api/v1/datasets lists them")
    return found


def summary(declared: Declared, facts: Facts) -> Dataset:
    """What the list says of one."""
    fact, promised = facts.of(declared.key), declared.promised
    rows = fact.figures.get("dagster/row_count")
    return Dataset(
        declared.key,
        declared.layer,
        declared.owner,
        declared.description,
        declared.relation,
        Freshness(
            fact.state,
            fact.since,
            fact.made_at,
            int((facts.at - fact.made_at).total_seconds()) if fact.made_at else None,
            int(promised.warn_after.total_seconds()) if promised.warn_after else None,
            int(promised.fail_after.total_seconds()),
            fact.lag_seconds,
        ),
        int(rows) if isinstance(rows, int) else None,
    )


def _columns(declared: Declared, fact: Fact) -> list[Column]:
    traced = fact.figures.get("dagster/column_lineage")
    deps = traced.deps_by_column if traced else {}
    return [
        Column(
            column.name,
            column.type or "unknown",
            column.description,
            [f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps.get(column.name, ())],
        )
        for column in declared.columns
    ]
