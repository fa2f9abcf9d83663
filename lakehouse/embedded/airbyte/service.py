"""The parts of the server that both APIs work with."""

from __future__ import annotations

from pathlib import Path

from lakehouse.embedded.airbyte.connectors.registry import Registry
from lakehouse.embedded.airbyte.operations.actors import Actors
from lakehouse.embedded.airbyte.operations.connections import Connections
from lakehouse.embedded.airbyte.operations.jobs import Jobs
from lakehouse.embedded.airbyte.scheduler import Scheduler
from lakehouse.embedded.airbyte.store import Store


class Service:
    """One workspace: its sources and destinations, connections and jobs."""

    def __init__(self, store: Store, scheduler: Scheduler, registry: Registry, scratch: Path) -> None:
        self.store = store
        self.registry = registry
        self.actors = Actors(store, registry, scratch)
        self.connections = Connections(store, self.actors)
        self.jobs = Jobs(store, scheduler)
