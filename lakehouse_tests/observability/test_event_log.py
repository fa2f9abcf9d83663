"""A batch of events is stored as SqliteEventLogStorage would store it, and quickly."""

import os
import sqlite3
import time
from pathlib import Path
from queue import Queue

import dagster as dg
import pytest

from lakehouse.observability.event_log import BatchingSqliteEventLogStorage

YEAR = dg.DailyPartitionsDefinition("2013-01-01", end_date="2014-01-01", timezone="UTC")
RANGE = {
    "dagster/asset_partition_range_start": "2013-01-01",
    "dagster/asset_partition_range_end": "2013-12-31",
}
CONFIG = """
telemetry: {{enabled: false}}
event_log_storage:
  module: lakehouse.observability.event_log
  class: BatchingSqliteEventLogStorage
  config: {{base_dir: {base_dir}}}
"""


@dg.multi_asset(
    specs=[dg.AssetSpec(name, partitions_def=YEAR, skippable=True) for name in ("departures", "delays")],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def a_year(context: dg.AssetExecutionContext):
    for name in ("departures", "delays"):
        context.add_asset_metadata(
            {"dagster/partition_row_count": 7}, asset_key=name, partition_key="2013-02-01"
        )
        yield dg.MaterializeResult(asset_key=name, tags={"shard": "x"})


def instance_at(directory: Path) -> dg.DagsterInstance:
    (directory / "dagster.yaml").write_text(CONFIG.format(base_dir=directory / "history"))
    return dg.DagsterInstance.from_config(str(directory))


@dg.op
def speaks(context: dg.OpExecutionContext) -> None:
    context.log_event(dg.AssetObservation("spoken"))


@dg.job
def speak() -> None:
    speaks()


def test_a_run_is_followed_while_its_file_stays_open(tmp_path: Path) -> None:
    writer = instance_at(tmp_path)
    run = writer.create_run_for_job(speak)
    reader = dg.DagsterInstance.from_config(str(tmp_path))
    seen: Queue[str] = Queue()
    reader.event_log_storage.watch(
        run.run_id, None, lambda entry, _: seen.put(entry.get_dagster_event().message or "")
    )
    try:
        for message in ("one", "two", "three", "four"):
            writer.report_engine_event(message, run)
            assert seen.get(timeout=20) == message
    finally:
        reader.event_log_storage.dispose()


def test_a_fork_opens_the_files_anew(tmp_path: Path) -> None:
    instance = instance_at(tmp_path)
    assert speak.execute_in_process(instance=instance).success
    pid = os.fork()
    if pid == 0:
        os._exit(0 if speak.execute_in_process(instance=instance).success else 1)
    assert speak.execute_in_process(instance=instance).success
    assert os.waitpid(pid, 0)[1] == 0
    assert len(instance.get_runs()) == 3
    assert len(instance.fetch_observations(dg.AssetKey("spoken"), limit=10).records) == 3
    with sqlite3.connect(tmp_path / "history" / "index.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


@pytest.mark.slow
def test_a_year_of_partitions_is_stored_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    instance = instance_at(tmp_path)
    assert isinstance(instance.event_log_storage, BatchingSqliteEventLogStorage)

    job = dg.Definitions(assets=[a_year]).resolve_implicit_global_asset_job_def()
    started = time.monotonic()
    result = job.execute_in_process(instance=instance, tags=RANGE)
    seconds = time.monotonic() - started

    assert result.success
    assert seconds < 15  # event by event it takes 25 s on two idle cores
    for name in ("departures", "delays"):
        key = dg.AssetKey(name)
        assert len(instance.get_materialized_partitions(key)) == 365
        newest = instance.get_latest_materialization_event(key)
        assert newest is not None
        assert newest.run_id == result.run_id
        february = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=["2013-02-01"]), limit=10
        ).records
        assert len(february) == 1
        assert february[0].asset_materialization is not None
        assert february[0].asset_materialization.metadata["dagster/partition_row_count"].value == 7
        assert february[0].asset_materialization.tags is not None
        assert february[0].asset_materialization.tags["shard"] == "x"
    stored = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert len(stored) == 2 * 365
