"""The benchmarks of serving: which there are, and the history that they write."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus, RunsFilter

from lakehouse.cli.bench import serving_metrics
from lakehouse.cli.bench.home import BenchHome
from lakehouse.cli.bench.serving import measure
from lakehouse.embedded.dagster_home import dagster_home
from lakehouse.errors import ConfigurationError
from lakehouse.observability.metadata.database import metadata_database
from lakehouse.observability.metrics.runs import runs
from lakehouse.observability.metrics.syncs import syncs
from lakehouse.settings import load_settings
from lakehouse_tests.observability.metrics.read import scrape


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown case speed; known are dashboard, metrics, api"):
        measure(["speed"])


@pytest.mark.slow
def test_a_written_history_is_one_that_dagster_and_metrics_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_metrics, "RUNS", 40)
    monkeypatch.setattr(serving_metrics, "DAYS", 2)
    serving_metrics._write_history(BenchHome(tmp_path))
    metadata = metadata_database(load_settings(tmp_path))
    with dg.DagsterInstance.from_config(str(dagster_home(tmp_path))) as instance:
        assert instance.get_runs_count() == 41
        failed = instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.FAILURE]))
        assert len({run.run_id for run in failed}) == 2
        found = scrape([runs(instance, metadata), syncs(metadata)])
    counted = {status: value for (name, *_, status), value in found.items() if name == "dagster_runs_total"}
    assert counted["failure"] == 2
    assert counted["success"] in (38, 39)  # the real run may have ended too lately to be told of
    assert found["airbyte_sync_failures_total", "connection0"] == 2


def test_logs_are_shipped_and_searched(capsys: pytest.CaptureFixture[str]) -> None:
    results = {result.name.split(" ")[0]: result for result in measure(["logs"], log_records=2000)}
    assert set(results) == {
        "serving.logs.ship", "serving.logs.ship.slowest", "serving.logs.ship.of_bare", "serving.logs.search",
    }  # fmt: skip
    assert all(result.value > 0 for result in results.values())
    assert capsys.readouterr().err == ""
