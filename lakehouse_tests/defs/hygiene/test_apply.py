"""Everything at once: as the command, as the job, and in which environments by itself."""

from pathlib import Path

import dagster as dg
import pytest

from lakehouse.defs.hygiene import job
from lakehouse.defs.resources import LakehouseResource
from lakehouse.embedded.dagster_home import dagster_home
from lakehouse.embedded.ports import free_port
from lakehouse_tests.lake.conftest import EPOCH, Lake

pytestmark = pytest.mark.slow


def test_the_command_cleans_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from lakehouse.cli.app import app

    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    for arguments in (["retention", "apply", "--dry-run"], ["retention", "apply"]):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        kinds = [line.split("  ")[0] for line in done.output.splitlines()]
        assert kinds == [
            "runs",
            "events of no run",
            "logs of runs",
            "space in SQLite files",
            "snapshots of tables",
            "files of no snapshot",
            "landed objects",
            "searchable log records",
            "files of logs",
        ]


def test_the_job_tells_what_could_not_be_cleaned_and_does_the_rest(tmp_path: Path) -> None:
    nobody = f"postgresql+psycopg://user@127.0.0.1:{free_port()}/catalog"
    (tmp_path / "lakehouse.env").write_text(f"LAKEHOUSE_ICEBERG__URI={nobody}\n")
    resources = {"lakehouse": LakehouseResource(home=str(tmp_path))}
    with dg.DagsterInstance.from_config(str(dagster_home(tmp_path))) as instance:
        done = job.retention.execute_in_process(instance=instance, resources=resources, raise_on_error=False)
        messages = [entry.user_message for entry in instance.all_logs(done.run_id)]
    assert not done.success
    assert "logs of runs: 0 removed, 0 bytes" in messages
    failure = next(event for event in done.all_events if event.is_step_failure)
    assert "the Iceberg catalogue does not open" in str(failure.step_failure_data.error)


def test_it_runs_by_itself_only_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not job.defs().schedules
    monkeypatch.setattr(job, "runs_here", lambda name: name == "retention")
    (schedule,) = job.defs().schedules or ()
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.cron_schedule == "30 5 * * *"


def test_landed_objects_go_only_where_the_connection_says_so(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa

    from lakehouse.defs.hygiene import lake as of_lake
    from lakehouse.defs.ingestion.declaration import connection_of
    from lakehouse.lake.iceberg import open_catalog
    from lakehouse.lake.merge import merge_table

    for number in range(3):
        lake.land([{"order_id": number}], {"order_id": pa.int64()}, epoch=EPOCH + number)
        merge_table(lake.spec(), lake.settings)
    catalog = open_catalog(lake.settings)
    assert of_lake.remove_landed(lake.settings, catalog, dry_run=False).count == 0
    declared = connection_of("shop")
    assert declared is not None
    asked = declared.model_copy(update={"landing_days": 1})
    monkeypatch.setattr(of_lake, "connection_of", lambda name: asked if name == "shop" else None)
    told = of_lake.remove_landed(lake.settings, catalog, dry_run=True)
    assert told.count == 2
    assert of_lake.remove_landed(lake.settings, catalog, dry_run=False) == told
    assert of_lake.remove_landed(lake.settings, catalog, dry_run=False).count == 0
