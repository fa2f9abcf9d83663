"""A batch of events is stored as SqliteEventLogStorage would store it, and quickly."""

import time
from pathlib import Path

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


@pytest.mark.slow
def test_a_year_of_partitions_is_stored_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    (tmp_path / "dagster.yaml").write_text(CONFIG.format(base_dir=tmp_path / "history"))
    instance = dg.DagsterInstance.from_config(str(tmp_path))
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
