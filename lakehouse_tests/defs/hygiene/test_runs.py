"""What retention takes from an instance, and that nothing which the platform reads is among it."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from lakehouse.defs.automation.backfill import Range
from lakehouse.defs.automation.history import History
from lakehouse.defs.hygiene import runs
from lakehouse.defs.metadata import CHANGED
from lakehouse.embedded.dagster_home import dagster_home
from lakehouse.observability.metadata.tables import partition_outcomes
from lakehouse_tests.defs.automation.small_shop import METRICS, ORDERS, REGIONS, REVENUE, WEEK, Shop

pytestmark = pytest.mark.slow

NOW = timedelta(0)
FOURTH = Range(date(2025, 1, 4), date(2025, 1, 4))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """On an instance as the stack's is."""
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    instance = dg.DagsterInstance.from_config(str(dagster_home(tmp_path)))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    return Shop(tmp_path, instance)


def key(name: str) -> dg.AssetKey:
    return dg.AssetKey(name.split("/"))


def read(shop: Shop) -> dict[str, object]:
    """All that decides what is built next, and what pages show."""
    history = History(shop.instance)
    days = {
        name: (
            history.days_made_at(key(name)),
            history.unfinished_days(key(name), WEEK),
            history.failed_days(key(name), WEEK),
        )
        for name in (ORDERS, REVENUE)
    }
    whole = {name: (history.made_at(key(name)), history.was_left(key(name))) for name in (METRICS, REGIONS)}
    check = shop.instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(key(REVENUE), "positive"))
    return {**days, **whole, "check": (check.run_id, check.status) if check else None}


def clean(shop: Shop, *, dry_run: bool = False) -> int:
    return runs.remove_runs(shop.instance, shop.metadata, NOW, dry_run=dry_run).count


def test_superseded_runs_go_and_the_newest_of_everything_stays(shop: Shop) -> None:
    for _ in range(3):
        shop.build(METRICS, REGIONS)
    shop.build(REVENUE, within=FOURTH)
    before = read(shop)
    assert clean(shop, dry_run=True) == 8
    assert len(shop.instance.get_run_ids()) == 3 * 4 + 2
    assert clean(shop) == 8
    assert clean(shop) == 0
    assert read(shop) == before
    assert len(shop.instance.get_run_ids()) == 6
    with shop.metadata.transaction() as connection:
        count = sa.select(sa.func.count(partition_outcomes.c.run_id.distinct()))
        assert connection.execute(count).scalar() == 14


def test_the_plan_of_a_failed_run_stays_until_another_run_meant_the_same(shop: Shop) -> None:
    shop.build(ORDERS)
    shop.broken = {"2025-01-04"}
    shop.build(ORDERS, within=FOURTH)
    before = read(shop)
    assert History(shop.instance).failed_days(key(ORDERS), WEEK) == {"2025-01-04"}
    assert clean(shop) == 0
    assert read(shop) == before
    shop.broken = set()
    shop.build(ORDERS, within=FOURTH)
    assert clean(shop) == 1
    assert History(shop.instance).failed_days(key(ORDERS), WEEK) == set()


def test_the_newest_change_stays_when_newer_events_tell_of_none(shop: Shop) -> None:
    def landed(rows: int) -> None:
        @dg.asset(key=["landing", "things"])
        def things() -> dg.MaterializeResult:
            return dg.MaterializeResult(metadata={CHANGED: rows})

        dg.materialize([things], instance=shop.instance)

    for rows in (1, 2, 0, 0):
        landed(rows)
    everything = History(shop.instance)
    assert everything.changed_after(dg.AssetKey(["landing", "things"]), 0)
    assert clean(shop) == 2
    assert History(shop.instance).changed_after(dg.AssetKey(["landing", "things"]), 0)
    rows = [
        record.asset_materialization.metadata[CHANGED].value
        for record in shop.instance.fetch_materializations(
            dg.AssetKey(["landing", "things"]), limit=9
        ).records
        if record.asset_materialization
    ]
    assert rows == [0, 2]


def test_young_runs_and_runs_at_work_stay(shop: Shop) -> None:
    shop.build(REGIONS, within=Range(None, None))
    shop.build(REGIONS, within=Range(None, None))
    assert runs.remove_runs(shop.instance, shop.metadata, timedelta(days=1), dry_run=False).count == 0


def test_nothing_goes_while_the_metadata_database_is_down(shop: Shop, tmp_path: Path) -> None:
    from lakehouse.errors import TransientError
    from lakehouse.observability.metadata.database import MetadataDatabase

    for _ in range(2):
        shop.build(REGIONS, within=Range(None, None))
    (tmp_path / "file").touch()
    shop.metadata = MetadataDatabase(f"sqlite:///{tmp_path}/file/metadata.db")
    with pytest.raises(TransientError, match="metadata database"):
        clean(shop)
    assert len(shop.instance.get_run_ids()) == 2


def test_events_of_no_run_go_but_the_newest(shop: Shop) -> None:
    for rows in range(5):
        event = dg.AssetMaterialization(["landing", "things"], metadata={CHANGED: rows})
        shop.instance.report_runless_asset_event(event)
    assert runs.remove_events_of_no_run(shop.instance, timedelta(days=1), dry_run=False).count == 0
    assert runs.remove_events_of_no_run(shop.instance, NOW, dry_run=False).count == 4
    records = shop.instance.fetch_materializations(dg.AssetKey(["landing", "things"]), limit=9).records
    assert [r.asset_materialization.metadata[CHANGED].value for r in records if r.asset_materialization] == [
        4
    ]


def test_files_and_space_are_given_back(shop: Shop, tmp_path: Path) -> None:
    for _ in range(6):
        shop.build(REVENUE)
    history = tmp_path / "dagster" / "history" / "runs"
    storage = Path(shop.instance.storage_directory())
    for run_id in shop.instance.get_run_ids():
        (storage / run_id / "compute_logs").mkdir(parents=True, exist_ok=True)
        (storage / run_id / "compute_logs" / "step.out").write_text("said\n")
    size = (history / "index.db").stat().st_size
    assert clean(shop) == 10
    assert len(list(history.glob("????????-*.db"))) == 2
    logs = runs.remove_compute_logs(shop.instance, NOW, dry_run=False)
    assert (logs.count, logs.bytes) == (2, 10)
    assert list(storage.rglob("step.out")) == []
    given = runs.give_back_space(shop.instance, dry_run=False)
    assert given.bytes
    assert (history / "index.db").stat().st_size < size
    with closing(sqlite3.connect(history / "index.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(shop.instance.get_materialized_partitions(key(REVENUE))) == 7
    assert shop.mend(REVENUE) == []


def test_a_run_of_a_backfill_that_goes_on_stays(shop: Shop) -> None:
    from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

    for status in (BulkActionStatus.REQUESTED, BulkActionStatus.COMPLETED_SUCCESS):
        shop.instance.add_backfill(
            PartitionBackfill(
                backfill_id=status.value,
                status=status,
                from_failure=False,
                tags={},
                backfill_timestamp=datetime.now(UTC).timestamp(),
            )
        )
        dg.materialize(
            [dg.AssetsDefinition.from_op(_nothing)],
            instance=shop.instance,
            tags={"dagster/backfill": status.value},
        )
    dg.materialize([dg.AssetsDefinition.from_op(_nothing)], instance=shop.instance)
    assert clean(shop) == 1


@dg.op
def _nothing() -> None: ...
