"""What jobs leave behind does not grow for as long as the engine runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.embedded.dremio import jobs as module
from lakehouse.embedded.dremio.engine import Engine, FileLists
from lakehouse.embedded.dremio.errors import NotFoundError
from lakehouse.embedded.dremio.executor import Executor
from lakehouse.embedded.dremio.jobs import Jobs
from lakehouse.embedded.dremio.namespace import Namespace
from lakehouse.embedded.dremio.reflections import Reflections
from lakehouse.embedded.dremio.store import Store
from lakehouse.embedded.dremio.system import SystemTables


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    store, executor = Store(tmp_path), Executor(tmp_path)
    namespace = Namespace(store, executor)
    reflections = Reflections(tmp_path, store, executor)
    made = Jobs(
        tmp_path, store, Engine(namespace, executor, SystemTables(namespace, store), reflections, FileLists())
    )
    yield made
    made.stop()
    executor.close()


def test_a_plan_that_nobody_reads_is_given_up_after_an_hour(jobs: Jobs) -> None:
    old, new, being_read = (jobs.prepare("SELECT 1 AS one", "user") for _ in range(3))
    _, batches = jobs.stream(being_read.id)
    for job in (old, being_read):
        job.started_at -= module.PLANNED_MS + 1
    jobs.tidy()
    assert jobs.get(old.id)["state"] == "CANCELED"
    assert jobs.get(old.id)["error"] == "nobody came to read it"
    with pytest.raises(NotFoundError):
        jobs.stream(old.id)
    assert [batch.num_rows for batch in batches] == [1]
    assert [batch.num_rows for batch in jobs.stream(new.id)[1]] == [1]


def test_only_the_newest_results_are_kept(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESULTS_KEPT", 5)
    begun = [jobs.submit("SELECT 1 AS one", "user") for _ in range(99)]
    assert all(job.done.wait(30) for job in begun)
    last = jobs.submit("SELECT 2 AS two", "user")
    assert last.done.wait(30)
    assert len(list((tmp_path / "results").glob("*.arrow"))) == 6
    assert jobs.result(last.id, 0, 10)[1] == 1
