"""The sensor of changes over a real lake: its runs are executed, and a model downstream says which days it made."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from lakehouse.defs.automation.changes.check import CHANGES_BUILT, changes_check
from lakehouse.defs.automation.changes.sensor import changes_sensor
from lakehouse.defs.automation.changes.state import State
from lakehouse.defs.automation.why import WHY, Why
from lakehouse.defs.bronze.assets import bronze_asset
from lakehouse.defs.bronze.spec import merge_spec
from lakehouse.defs.partitions import partitions_of
from lakehouse.defs.resources import LakehouseResource
from lakehouse.lake import layout
from lakehouse.lake.merge import merge_table
from lakehouse_tests.defs.test_bronze import FIELDS, KEY, ORDERS, order
from lakehouse_tests.lake.conftest import DAY_MS, EPOCH, Lake

pytestmark = pytest.mark.slow
LANDING = dg.AssetKey(ORDERS.landing_key)
MODEL, TOTAL = dg.AssetKey(["silver", "stg_orders"]), dg.AssetKey(["gold", "total"])
ONE, TWO, LATE = date(2025, 1, 2), date(2025, 1, 3), date(2025, 6, 1)
Window = tuple[str, str]


class Shop:
    """A code location of orders, a model of their days, and one of them all; what they made is kept."""

    def __init__(self, home: Path) -> None:
        self.lake = Lake(home)
        self.instance = dg.DagsterInstance.ephemeral()
        self.made: list[tuple[str, ...] | str] = []
        self.broken = False
        self.cursor: str | None = None
        self.epoch = EPOCH
        self._ran: set[str] = set()
        sensor = changes_sensor("shop", [ORDERS])
        self.name = sensor.name
        self.defs = dg.Definitions(
            assets=[dg.AssetSpec(LANDING), bronze_asset(ORDERS), *self._models()],
            asset_checks=[changes_check("shop", [LANDING])],
            sensors=[sensor],
            resources={"lakehouse": LakehouseResource(home=str(home))},
            executor=dg.in_process_executor,
        )
        self.repository = self.defs.get_repository_def()

    def _models(self) -> Iterator[dg.AssetsDefinition]:
        @dg.asset(
            key=MODEL,
            deps=[KEY],
            partitions_def=partitions_of(ORDERS.partition_by),
            backfill_policy=dg.BackfillPolicy.single_run(),
        )
        def stg_orders(context: dg.AssetExecutionContext) -> None:
            if self.broken:
                raise dg.Failure("broken", allow_retries=False)
            self.made.append(tuple(context.partition_keys))

        @dg.asset(key=TOTAL, deps=[dg.AssetDep(MODEL, partition_mapping=dg.AllPartitionMapping())])
        def total() -> None:
            self.made.append("total")

        return iter((stg_orders, total))

    def land(self, *rows: dict[str, object]) -> None:
        self.lake.land(rows, FIELDS, epoch=self.epoch)
        self.epoch += DAY_MS

    def tick(self) -> dg.SensorResult:
        context = dg.build_sensor_context(
            instance=self.instance, repository_def=self.repository, cursor=self.cursor,
            resources={"lakehouse": LakehouseResource(home=str(self.lake.home))},
        )  # fmt: skip
        result = self.repository.get_sensor_def(self.name)(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        return result

    def run(self, request: dg.RunRequest) -> None:
        """What the daemon does with a request; a run key that it has seen is passed over."""
        if str(request.run_key) in self._ran:
            return
        self._ran.add(str(request.run_key))
        job = self.defs.resolve_implicit_global_asset_job_def()
        job.get_subset(asset_selection=set(request.asset_selection or ())).execute_in_process(
            instance=self.instance, tags=dict(request.tags), raise_on_error=False
        )

    def settle(self) -> list[Window | None]:
        """Ticks and runs until there is nothing to do; the windows that were run."""
        windows: list[Window | None] = []
        for _ in range(20):
            requests = self.tick().run_requests
            if not requests and not State.read(self.cursor).batch:
                return windows
            for request in requests or ():
                start = request.tags.get("dagster/asset_partition_range_start")
                windows.append((start, request.tags["dagster/asset_partition_range_end"]) if start else None)
                self.run(request)
        raise AssertionError(f"still at work after {windows}: {self.cursor}")

    def verdict(self) -> bool | None:
        record = self.instance.get_latest_asset_check_evaluation_record(
            dg.AssetCheckKey(LANDING, CHANGES_BUILT)
        )
        data: Any = record.event.dagster_event.event_specific_data if record and record.event else None  # type: ignore[union-attr]
        return data.passed if data else None


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.land(order(1, ONE), order(2, TWO), order(3, LATE))
    shop.settle()
    shop.made.clear()
    return shop


def test_nothing_new_asks_for_nothing(shop: Shop) -> None:
    assert shop.settle() == []
    assert shop.made == []
    assert shop.verdict() is True


def test_exactly_the_days_where_changed_rows_live_and_used_to_live_are_built(shop: Shop) -> None:
    shop.land(order(1, LATE))  # it moves from January to June
    assert shop.settle() == [("2025-01-02", "2025-01-02"), ("2025-06-01", "2025-06-01")]
    assert shop.made == [("2025-01-02",), ("2025-06-01",), "total"]


def test_a_repeated_tick_is_harmless(shop: Shop) -> None:
    shop.land(order(4, TWO))
    before = shop.cursor
    first = shop.tick().run_requests or []
    shop.cursor = before  # the daemon died before it kept the cursor
    second = shop.tick().run_requests or []
    assert [request.run_key for request in first] == [request.run_key for request in second]
    assert all(request.tags[WHY] == Why.CHANGES for request in first)
    for request in [*first, *second]:
        shop.run(request)
    shop.settle()
    assert shop.made == [("2025-01-03",), "total"]


def test_what_lands_between_a_tick_and_its_run_is_built_by_the_next(shop: Shop) -> None:
    shop.land(order(4, ONE))
    (request,) = shop.tick().run_requests or ()
    shop.land(order(5, LATE))
    shop.run(request)  # bronze merges both, the model makes January only
    assert shop.settle() == [("2025-06-01", "2025-06-01")]
    assert shop.made == [("2025-01-02",), "total", ("2025-06-01",), "total"]


def test_the_cursor_moves_only_when_the_runs_succeeded_and_what_was_merged_is_not_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("lakehouse.defs.automation.changes.sensor.time", SimpleNamespace(time=lambda: now))
    built = State.read(shop.cursor).built
    shop.broken = True
    shop.land(order(4, TWO))
    for _ in range(40):
        for request in shop.tick().run_requests or ():
            shop.run(request)
        now += 5
    assert shop.verdict() is False
    assert State.read(shop.cursor).built == built
    shop.broken, now = False, now + 3600
    assert shop.settle() == [("2025-01-03", "2025-01-03")], "bronze has it, the model had not"
    assert shop.made == [("2025-01-03",), "total"]
    assert shop.verdict() is True


def test_a_merge_of_somebody_else_is_built_downstream(shop: Shop) -> None:
    shop.land(order(4, TWO))
    job = shop.defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection={KEY})
    day = {f"dagster/asset_partition_range_{end}": "2025-01-01" for end in ("start", "end")}
    assert job.execute_in_process(instance=shop.instance, tags=day).success
    assert shop.settle() == [("2025-01-03", "2025-01-03")]
    assert shop.made == [("2025-01-03",), "total"]


def test_a_merge_whose_process_died_before_its_event_is_told_and_built(shop: Shop) -> None:
    shop.land(order(4, TWO))
    merge_table(merge_spec(ORDERS, shop.lake.settings), shop.lake.settings)
    shop.settle()
    assert any("2025-01-03" in made for made in shop.made)


def test_a_table_that_cannot_be_merged_fails_in_its_run_and_not_the_tick(shop: Shop) -> None:
    shop.lake.land([{"other": 1}], {"other": pa.int64()}, epoch=shop.epoch)
    (request,) = shop.tick().run_requests or ()
    shop.run(request)
    (run,) = shop.instance.get_runs(limit=1)
    assert run.is_failure


def test_thousands_of_landed_objects_are_listed_only_where_they_are_new(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    day = shop.lake.home / "lake/landing/shop/orders"
    real = layout.parse_landing_object

    def parse(source: str, stream: str, url: str, size: int) -> Any:
        listed.append(url)
        return real(source, stream, url, size)

    shop.land(order(9, ONE))
    shop.settle()
    for folder in range(1, 6):  # days before the watermark's, with objects that nobody looks at
        (day / f"date=2024-01-0{folder}").mkdir()
        for part in range(200):
            (day / f"date=2024-01-0{folder}/{1704067200000 + (folder - 1) * DAY_MS}_{part}.parquet").touch()
    monkeypatch.setattr(layout, "parse_landing_object", parse)
    assert not shop.tick().run_requests
    assert len(listed) == 1
