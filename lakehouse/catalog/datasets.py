"""Typed datasets, and the one place where asset keys come from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from lakehouse.catalog.meta import (
    Contract,
    Freshness,
    PartitionBy,
    PlatformRecords,
    Reconciliation,
    Reflection,
    Tier,
)

Layer = Literal["landing", "bronze", "silver", "gold", "reflections", "serving"]
Key = tuple[str, ...]
PLATFORM = "platform"
"""The dbt source of what the platform knows of itself."""


@dataclass(frozen=True)
class Column:
    """`type` is the declared Dremio type, lower case; empty when the project does not declare one."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Relation:
    """A three-part name in Dremio: `lake.gold.fct_orders`."""

    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}.{self.name}"

    @property
    def parts(self) -> tuple[str, str, str]:
        """(database, schema, name), the path in Dremio's catalogue."""
        return self.database, self.schema, self.name


@dataclass(frozen=True)
class BronzeTable:
    """A dbt source table: one landed stream as a table of current rows."""

    relation: Relation
    source: str
    """The dbt source's name, which is also the landing namespace: `shop`."""
    table: str
    """The table without its source prefix: `orders`."""
    connection: str
    stream: str
    primary_key: tuple[str, ...]
    partition_by: PartitionBy | None
    description: str
    columns: tuple[Column, ...]
    owner: str | None
    freshness: Freshness | None
    unique_id: str
    """dbt's unique id: `source.lakehouse.shop.shop__orders`."""
    contract: Contract = field(default_factory=Contract)
    reconcile: tuple[Reconciliation, ...] = ()
    schedule: Tier | None = None

    @property
    def key(self) -> Key:
        return "bronze", self.source, self.table

    @property
    def landing_key(self) -> Key:
        """The upstream asset: the landed stream."""
        return landing_key(self.source, self.stream)


@dataclass(frozen=True)
class PlatformTable:
    """A dbt source table that the platform fills with what it knows of itself."""

    relation: Relation
    records: PlatformRecords
    description: str
    columns: tuple[Column, ...]
    owner: str | None
    freshness: Freshness | None

    @property
    def name(self) -> str:
        return self.relation.name

    @property
    def key(self) -> Key:
        return "bronze", PLATFORM, self.records


@dataclass(frozen=True)
class Model:
    """A dbt model or snapshot that is a table or view of silver or gold."""

    relation: Relation
    layer: Layer
    materialized: str
    partition_by: PartitionBy | None
    description: str
    columns: tuple[Column, ...]
    owner: str | None
    freshness: Freshness | None
    reflections: tuple[Reflection, ...]
    upstream: tuple[Key, ...]
    """Asset keys of the bronze tables and models it reads."""
    unique_id: str
    unique_key: tuple[str, ...] = ()
    """Columns of which no two rows have the same values; empty when the project declares none."""
    reconcile: tuple[Reconciliation, ...] = ()
    lookback: timedelta | None = None
    """How far before its window a run reads."""

    @property
    def name(self) -> str:
        return self.relation.name

    @property
    def key(self) -> Key:
        return self.layer, self.name

    @property
    def is_snapshot(self) -> bool:
        """Whether it keeps versions of what it reads: it cannot be made again from its inputs."""
        return self.materialized == "snapshot"

    def reflection_key(self, reflection: Reflection) -> Key:
        return "reflections", self.name, reflection.name


@dataclass(frozen=True)
class Dashboard:
    """A dbt exposure of type dashboard."""

    name: str
    label: str
    description: str
    url: str | None
    owner: str | None
    freshness: Freshness | None
    upstream: tuple[Key, ...]

    @property
    def key(self) -> Key:
        return "serving", self.name


@dataclass(frozen=True)
class Catalog:
    """Every dataset that the dbt project declares, in the manifest's order."""

    bronze: tuple[BronzeTable, ...]
    models: tuple[Model, ...]
    dashboards: tuple[Dashboard, ...]
    platform: tuple[PlatformTable, ...] = ()

    @property
    def by_key(self) -> dict[Key, BronzeTable | Model]:
        """Bronze tables and models by their asset keys."""
        datasets: list[BronzeTable | Model] = [*self.bronze, *self.models]
        return {dataset.key: dataset for dataset in datasets}

    def model(self, name: str) -> Model:
        """The model of that name. Raises KeyError when there is none."""
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)


def landing_key(source: str, stream: str) -> Key:
    """The asset that an Airbyte stream lands as; Dagster knows fewer characters than a table's name may have.

    >>> landing_key("shop", "Order Items")
    ('landing', 'shop', 'Order_Items')
    """
    return "landing", source, re.sub(r"[^A-Za-z0-9_.-]", "_", stream)
