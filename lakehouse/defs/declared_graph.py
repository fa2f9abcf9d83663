"""The declared datasets as one graph by key. Nothing of Dagster's definitions is loaded for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from lakehouse.catalog.datasets import (
    BronzeTable,
    Catalog,
    Column,
    Dashboard,
    Key,
    Layer,
    Model,
    PlatformTable,
)
from lakehouse.catalog.freshness import declared_freshness, layer_default
from lakehouse.catalog.meta import Freshness, PartitionBy
from lakehouse.defs.policies import DEFAULT_OWNER

LAYERS: tuple[Layer, ...] = get_args(Layer)


@dataclass(frozen=True)
class Dataset:
    """One asset of the graph, as it is declared."""

    key: str
    """With slashes."""
    description: str
    owner: str
    promised: Freshness
    upstream: tuple[str, ...]
    relation: str | None = None
    columns: tuple[Column, ...] = ()
    partition_by: PartitionBy | None = None
    connection: str | None = None
    """The Airbyte connection that lands it."""

    @property
    def layer(self) -> Layer:
        return self.key.partition("/")[0]  # type: ignore[return-value]


class Graph:
    """Datasets by key, in the order of the layers and their names."""

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        ordered = sorted(datasets, key=lambda dataset: (LAYERS.index(dataset.layer), dataset.key))
        self.datasets: Mapping[str, Dataset] = {dataset.key: dataset for dataset in ordered}
        self._downstream: dict[str, list[str]] = {key: [] for key in self.datasets}
        for dataset in self.datasets.values():
            for key in dataset.upstream:
                self._downstream[key].append(dataset.key)

    def upstream(self, key: str, depth: int = 1) -> list[str]:
        """The keys that are at most so many steps up, nearest first."""
        return self._reached(key, {name: found.upstream for name, found in self.datasets.items()}, depth)

    def downstream(self, key: str, depth: int = 1) -> list[str]:
        """The keys that are at most so many steps down, nearest first."""
        return self._reached(key, self._downstream, depth)

    def _reached(self, start: str, steps: Mapping[str, Iterable[str]], depth: int) -> list[str]:
        found, waiting = {start: 0}, deque([start])
        while waiting:
            key = waiting.popleft()
            for further in steps[key] if found[key] < depth else ():
                if further not in found:
                    found[further] = found[key] + 1
                    waiting.append(further)
        return list(found)[1:]


def graph_of(catalog: Catalog) -> Graph:
    """The graph of what a dbt project declares."""
    promised = declared_freshness(catalog)

    def dataset(
        key: Key,
        source: BronzeTable | Model | PlatformTable | Dashboard,
        upstream: Iterable[Key],
        **more: object,
    ) -> Dataset:
        return Dataset(
            "/".join(key),
            source.description,
            source.owner or DEFAULT_OWNER,
            promised.get(key) or layer_default(key),
            tuple("/".join(above) for above in upstream),
            **more,  # type: ignore[arg-type]
        )

    found: list[Dataset] = []
    for table in catalog.bronze:
        found.append(dataset(table.landing_key, table, (), connection=table.connection))
        found.append(dataset(table.key, table, [table.landing_key], **_table(table)))
    for own in catalog.platform:
        found.append(dataset(own.key, own, (), relation=str(own.relation), columns=own.columns))
    for model in catalog.models:
        found.append(dataset(model.key, model, model.upstream, **_table(model)))
        found += [
            dataset(model.reflection_key(reflection), model, [model.key]) for reflection in model.reflections
        ]
    of_models = {
        model.key: [model.reflection_key(reflection) for reflection in model.reflections]
        for model in catalog.models
    }
    for board in catalog.dashboards:
        reflections = [key for above in board.upstream for key in of_models.get(above, ())]
        found.append(dataset(board.key, board, [*board.upstream, *reflections]))
    return Graph(found)


def _table(source: BronzeTable | Model) -> dict[str, object]:
    return {
        "relation": str(source.relation),
        "columns": source.columns,
        "partition_by": source.partition_by,
    }
