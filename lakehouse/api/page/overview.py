"""What the page shows, section by section. What does not answer takes nothing from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from lakehouse.api.operation import Nothing
from lakehouse.api.platform import Platform
from lakehouse.api.resources.alerts import AlertList, Alerts
from lakehouse.api.resources.datasets import Dataset, DatasetList, Datasets, DatasetsWanted
from lakehouse.api.resources.ready import Readiness, Ready
from lakehouse.api.resources.runs import RunList, Runs, RunsWanted
from lakehouse.api.resources.syncs import ConnectionList, ConnectionsWanted, Syncs
from lakehouse.api.resources.warehouse import (
    QueriesWanted,
    ReflectionList,
    SlowQueryList,
    WarehouseOperations,
)
from lakehouse.defs.declared_graph import LAYERS
from lakehouse.errors import LakehouseError
from lakehouse.lake.usage import Usage

T = TypeVar("T")
_SECONDS = 3.0
"""How long the page waits for a section; what comes later is on the next one."""
_AT_ONCE = 3
_RUNS, _QUERIES = 12, 10


@dataclass(frozen=True)
class Section(Generic[T]):
    found: T | None
    problem: str = ""


@dataclass(frozen=True)
class Layer:
    name: str
    states: Mapping[str, int]
    """Datasets by state."""
    usage: Usage | None


@dataclass(frozen=True)
class Overview:
    at: datetime
    ready: Section[Readiness]
    alerts: Section[AlertList]
    datasets: Section[DatasetList]
    runs: Section[RunList]
    syncs: Section[ConnectionList]
    queries: Section[SlowQueryList]
    reflections: Section[ReflectionList]
    storage: Section[Mapping[str, Usage]]

    @property
    def by_layer(self) -> dict[str, list[Dataset]]:
        """The datasets of each layer that has some."""
        found: dict[str, list[Dataset]] = {}
        for item in self.datasets.found.items if self.datasets.found else []:
            found.setdefault(item.layer, []).append(item)
        return found

    @property
    def layers(self) -> list[Layer]:
        """In the order in which data flows."""
        datasets, usage = self.by_layer, self.storage.found or {}
        return [
            Layer(name, Counter(item.freshness.state for item in datasets.get(name, ())), usage.get(name))
            for name in LAYERS
        ]

    @property
    def states(self) -> Counter[str]:
        """All datasets by state."""
        return sum((Counter(layer.states) for layer in self.layers), Counter())


class Overviews:
    """Reads all sections at once."""

    def __init__(self, platform: Platform) -> None:
        warehouse, ready = WarehouseOperations(platform), Ready(platform)
        self._sections: dict[str, Callable[[], Any]] = {
            "ready": lambda: ready.get_ready(Nothing()),
            "alerts": lambda: Alerts(platform).list_alerts(Nothing()),
            "datasets": lambda: Datasets(platform).list_datasets(DatasetsWanted(limit=1000)),
            "runs": lambda: Runs(platform).list_runs(RunsWanted(limit=_RUNS)),
            "syncs": lambda: Syncs(platform).list_connections(ConnectionsWanted(limit=1000)),
            "queries": lambda: warehouse.list_slow_queries(QueriesWanted(limit=_QUERIES)),
            "reflections": lambda: warehouse.list_reflections(Nothing()),
            "storage": platform.usage,
        }
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="page")

    def read(self) -> Overview:
        """The newest that is known within a few seconds."""
        reading = {name: self._threads.submit(read) for name, read in self._sections.items()}
        wait(reading.values(), timeout=_SECONDS)
        return Overview(datetime.now(UTC), **{name: _section(found) for name, found in reading.items()})


def _section(reading: Future[Any]) -> Section[Any]:
    if not reading.done():
        reading.cancel()
        return Section(None, "still being found out; reload the page in a moment")
    error = reading.exception()
    if error is None:
        return Section(reading.result())
    if isinstance(error, LakehouseError):
        return Section(None, str(error))
    raise error
