"""What commands that do work need: services that answer, and the graph with the history of this home."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from lakehouse.defs.automation.why import Why

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from lakehouse.cli.demo_report import Progress
    from lakehouse.defs.automation.execute import Runner
    from lakehouse.settings import Settings

_SETTLING_SECONDS = 60


@contextmanager
def running_services(
    settings: Settings, progress: Progress, names: Collection[str] = ("postgres", "airbyte", "dremio")
) -> Iterator[None]:
    """These services: those of a running stack, or started for the block and stopped after it.

    Services that the settings place on another machine are not started. A Superset that is installed and does not run
    is started with them.
    """
    from lakehouse.cli.services import is_local, stack_services
    from lakehouse.cli.superset import is_waiting
    from lakehouse.embedded.services import SUPERSET
    from lakehouse.embedded.stack import Stack

    if _is_up(settings):
        progress.line("services", "those of the running stack")
        yield
        return
    chosen = [name for name in names if is_local(settings, name)]
    services = stack_services(settings, [*chosen, SUPERSET] if chosen and is_waiting(settings) else chosen)
    if not services:
        yield
        return
    progress.start("services")
    with Stack(settings.home, services):
        progress.done("services", ", ".join(service.name for service in services))
        yield


def _is_up(settings: Settings) -> bool:
    """Whether a stack of this home runs and goes on running.

    One whose owner was killed stops by itself within seconds; it is waited for.
    """
    from lakehouse.embedded.state import RUNNING, read_state

    deadline = time.monotonic() + _SETTLING_SECONDS
    seen_running = 0
    while (state := read_state(settings.home)) is not None and time.monotonic() < deadline:
        running = all(service.state == RUNNING for service in state.services)
        seen_running = seen_running + 1 if running else 0
        if seen_running > 3:
            return True
        time.sleep(0.2)
    return state is not None


def load_graph(settings: Settings, progress: Progress, name: str, why: str = Why.REFRESH) -> Runner:
    """The graph, and the instance of this home; runs of that name whose process was killed are closed.

    What became of those, and of runs that ended while the metadata database was down, is recorded.
    """
    import dagster as dg

    from lakehouse.defs.automation.execute import Runner
    from lakehouse.defs.automation.outcomes import record_newest
    from lakehouse.embedded.dagster_home import dagster_home
    from lakehouse.observability.metadata.database import metadata_database
    from lakehouse.observability.metadata.losses import not_stopping

    progress.start("graph")
    os.environ.update({name: value for name, value in settings.environ.items() if name not in os.environ})
    instance = dg.DagsterInstance.from_config(str(dagster_home(settings.home)))
    from lakehouse.definitions import defs

    metadata = metadata_database(settings)
    runner = Runner(defs(), instance, name, why=why, metadata=metadata)
    runner.close_dead_runs()
    with not_stopping(partial(progress.line, "history"), "outcomes are recorded once it answers"):
        record_newest(instance, metadata)
    progress.done("graph", "definitions loaded")
    return runner
