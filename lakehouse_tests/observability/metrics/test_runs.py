"""Runs and daemons of a real instance."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metrics import runs
from lakehouse_tests.observability.metrics.read import Samples, scrape


@dg.op
def work(context: dg.OpExecutionContext) -> None:
    if context.run.tags.get("fail"):
        raise ValueError("no")


@dg.job
def nightly() -> None:
    work()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setattr(runs, "_SETTLED", timedelta())
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def run(instance: dg.DagsterInstance, **tags: str) -> str:
    return nightly.execute_in_process(instance=instance, tags=tags, raise_on_error=False).run_id


def test_each_run_counts_once_whatever_happens_to_it_later(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    metadata = MetadataDatabase(f"sqlite:///{tmp_path}/metadata.db")

    def look() -> Samples:
        return scrape([runs.runs(instance, metadata)])

    first = run(instance)
    run(instance, fail="yes")
    found = look()
    assert found["dagster_runs_total", "nightly", "success"] == 1
    assert found["dagster_runs_total", "nightly", "failure"] == 1
    assert found["dagster_run_duration_seconds_count", "nightly"] == 2
    instance.add_run_tags(first, {"note": "somebody looked at it"})
    run(instance)
    assert look()["dagster_runs_total", "nightly", "success"] == 2
    for record in instance.get_run_records():  # as `lakehouse retention` does
        instance.delete_run(record.dagster_run.run_id)
    run(instance)
    assert look()["dagster_runs_total", "nightly", "success"] == 3
    assert look()["dagster_runs_total", "nightly", "failure"] == 1


def test_what_is_not_over_and_a_daemon_that_is_not_there(instance: dg.DagsterInstance) -> None:
    instance.create_run_for_job(nightly, status=dg.DagsterRunStatus.STARTED)
    found = scrape([runs.daemons(instance)])
    assert found["dagster_runs_unfinished", "started"] == 1
    assert found["dagster_runs_unfinished", "queued"] == 0
    assert found["dagster_daemon_healthy", "SENSOR"] == 0
    assert found["dagster_daemon_heartbeat_age_seconds", "SENSOR"] == float("inf")
