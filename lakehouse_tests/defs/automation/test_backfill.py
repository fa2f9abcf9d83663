"""Days built again on demand, and what a failure keeps from being built."""

import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from lakehouse.defs.automation.backfill import Range, chosen
from lakehouse.errors import ConfigurationError, TransientError
from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse_tests.defs.automation.small_shop import (
    ALL_WEEK,
    EVERYTHING,
    LANDED,
    METRICS,
    ORDERS,
    REGIONS,
    REVENUE,
    Shop,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_range_is_one_run_and_landing_is_left_alone(shop: Shop) -> None:
    assert shop.build(METRICS) == ["orders 01-07", "revenue 01-07", "metrics"]
    assert shop.mend(METRICS) == []


def test_only_what_is_named_without_upstream(shop: Shop) -> None:
    key = dg.AssetKey(REVENUE.split("/"))
    assert chosen(shop.nodes, [REVENUE], upstream=False) == {key}


def test_more_days_than_a_run_may_take_are_several_runs(shop: Shop) -> None:
    assert shop.build(REVENUE, days_per_run=3) == [
        "orders 01-03",
        "orders 04-06",
        "orders 07-07",
        "revenue 01-03",
        "revenue 04-06",
        "revenue 07-07",
    ]


def test_what_is_made_of_a_failed_run_is_left_out_and_the_rest_is_built(shop: Shop) -> None:
    shop.broken = {"2025-01-04"}
    assert shop.build(METRICS, REGIONS, days_per_run=3) == [
        "regions",
        "orders 01-03",
        "orders 04-06 failed",
        "orders 07-07",
        "revenue 01-03",
        "revenue 07-07",
    ]


def test_failed_only_builds_the_failed_days_and_what_is_made_of_them(shop: Shop) -> None:
    shop.build(METRICS)
    shop.broken = {"2025-01-04"}
    shop.build(METRICS, within=Range(date(2025, 1, 3), date(2025, 1, 5)))
    assert shop.mend(METRICS) == ["orders 03-05 failed"]
    shop.broken = set()
    assert shop.mend(METRICS, within=Range(date(2025, 1, 6), None)) == [
        "metrics"
    ]  # it was left out, and has no days
    assert shop.mend(METRICS) == ["orders 03-05", "revenue 03-05", "metrics"]
    assert shop.mend(METRICS) == []


def test_failed_only_builds_days_again_whose_test_failed(shop: Shop) -> None:
    shop.build(METRICS)
    shop.wrong = {"2025-01-04"}
    assert shop.build(METRICS, within=Range(date(2025, 1, 3), date(2025, 1, 5))) == [
        "orders 03-05",
        "revenue 03-05 failed",
    ]
    shop.wrong = set()
    assert shop.mend(METRICS) == ["revenue 03-05", "metrics"]
    assert shop.mend(METRICS) == []


def test_failed_only_builds_what_a_killed_backfill_had_not_begun(tmp_path: Path) -> None:
    script = [sys.executable, "-m", "lakehouse_tests.defs.automation.small_shop", str(tmp_path), "2025-01-05"]
    killed = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    shop = Shop(tmp_path, dg.DagsterInstance.local_temp(str(tmp_path)))
    assert shop.runner.close_dead_runs() == 1
    assert shop.mend(METRICS) == ["orders 04-07", "revenue 01-07", "metrics"]
    assert shop.mend(METRICS) == []


def test_what_a_living_backfill_plans_is_left_to_it(shop: Shop) -> None:
    from lakehouse.defs.automation.intent import intending
    from lakehouse.defs.automation.stale import Stale

    shop.build(METRICS)
    with intending(shop.metadata, {dg.AssetKey(ORDERS.split("/")): Stale(frozenset({"2025-01-02"}))}):
        assert shop.mend(METRICS) == []
    assert shop.mend(METRICS) == ["orders 02-02", "revenue 02-02", "metrics"]


def test_a_backfill_runs_while_the_metadata_database_is_down(
    shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    shop.metadata = shop.runner.metadata = MetadataDatabase(f"sqlite:///{tmp_path}/file/metadata.db")
    assert shop.build(REGIONS, within=EVERYTHING) == ["regions"]
    (run,) = shop.instance.get_runs()
    lost = f"outcomes of run {run.run_id} are recorded once it answers"
    assert lost in caplog.text
    assert "--failed-only will not know of days" in caplog.text
    assert any(lost in entry.message for entry in shop.instance.all_logs(run.run_id))
    with pytest.raises(TransientError, match="the metadata database"):
        shop.mend(REGIONS)
    shop.metadata = shop.runner.metadata = MetadataDatabase(f"sqlite:///{tmp_path}/metadata.db")
    assert shop.mend(REGIONS) == []
    with shop.metadata.transaction() as connection:
        assert connection.execute(sa.text("SELECT asset, why FROM partition_outcomes")).all() == [
            (REGIONS, "backfill")
        ]


@pytest.mark.parametrize(
    ("names", "within", "what"),
    [
        (["gold/revenu"], ALL_WEEK, "did you mean gold/revenue"),
        ([LANDED], EVERYTHING, "lakehouse refresh"),
        ([REVENUE], EVERYTHING, "name the range with --from and --to"),
        ([REVENUE], Range(date(2026, 1, 1), None), "it has 2025-01-01 to 2025-01-07"),
        ([REGIONS], ALL_WEEK, "leave out --from and --to"),
    ],
)
def test_what_cannot_be_built_is_refused(shop: Shop, names: list[str], within: Range, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        shop.build(*names, within=within)


def test_runs_of_a_process_that_lives_are_not_closed(shop: Shop) -> None:
    from lakehouse.defs.automation.execute import PROCESS, STARTED_BY

    (step,) = shop.build(REGIONS, within=EVERYTHING) and shop.instance.get_runs(limit=1)
    alive = {STARTED_BY: "backfill", PROCESS: step.tags[PROCESS]}
    dead = {STARTED_BY: "backfill", PROCESS: step.tags[PROCESS] + "1"}
    for tags in (alive, dead):
        run = shop.instance.create_run_for_job(
            shop.runner.defs.resolve_implicit_global_asset_job_def(), tags=tags
        )
        shop.instance.report_engine_event("begins", run)
        shop.instance.report_dagster_event(_start(run), run.run_id)
    assert shop.runner.close_dead_runs() == 1


def _start(run: dg.DagsterRun) -> dg.DagsterEvent:
    return dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name)
