"""Bronze assets over a real lake: the events of a merge, and what is told after a process died."""

import dataclasses
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from lakehouse.catalog.datasets import BronzeTable, Relation
from lakehouse.catalog.meta import PartitionBy
from lakehouse.defs.automation.execute import failed_checks
from lakehouse.defs.automation.history import History
from lakehouse.defs.bronze.assets import CHECK, bronze_asset
from lakehouse.defs.bronze.contract import CONTRACT
from lakehouse.defs.bronze.pending import PendingMerge, pending_merge
from lakehouse.defs.bronze.spec import declared_stream, merge_spec
from lakehouse.defs.metadata import CHANGED
from lakehouse.defs.resources import LakehouseResource
from lakehouse.errors import ConfigurationError
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse_tests.lake.conftest import DAY_MS, EPOCH, Lake

pytestmark = pytest.mark.slow
FIELDS = {"order_id": pa.int64(), "order_date": pa.date32(), "updated_at": pa.timestamp("us", "UTC")}
ORDERS = BronzeTable(
    relation=Relation("lake", "bronze", "shop__orders"),
    source="shop",
    table="orders",
    connection="shop",
    stream="orders",
    primary_key=("order_id",),
    partition_by=PartitionBy(column="order_date", start=date(2025, 1, 1)),
    description="Orders.",
    columns=(),
    owner=None,
    freshness=None,
    unique_id="source.lakehouse.shop.shop__orders",
)
KEY = dg.AssetKey(ORDERS.key)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def materialize(lake: Lake) -> Callable[..., dg.ExecuteInProcessResult]:
    instance = dg.DagsterInstance.ephemeral()

    def run(first: str, last: str) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [bronze_asset(ORDERS)],
            instance=instance,
            resources={"lakehouse": LakehouseResource(home=str(lake.home))},
            tags={
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
            },
        )

    run.instance = instance  # type: ignore[attr-defined]
    return run


def order(number: int | None, day: date) -> dict[str, object]:
    return {"order_id": number, "order_date": day, "updated_at": None}


def events(result: dg.ExecuteInProcessResult) -> dict[str, tuple[int, int]]:
    """Day -> (rows, rows that changed), as the run's events tell."""
    found = {}
    for event in result.get_asset_materialization_events():
        told = event.materialization.metadata
        found[str(event.partition)] = (told["dagster/partition_row_count"].value, told[CHANGED].value)
    return found


def test_every_changed_day_gets_an_event(
    lake: Lake, materialize: Callable[..., dg.ExecuteInProcessResult]
) -> None:
    first, second, far = date(2025, 1, 2), date(2025, 1, 3), date(2025, 6, 1)
    lake.land([order(1, first), order(2, first), order(3, far)], FIELDS)
    result = materialize("2025-01-01", "2025-01-03")
    assert events(result) == {
        "2025-01-01": (0, 0),
        "2025-01-02": (2, 2),
        "2025-01-03": (0, 0),
        "2025-06-01": (1, 1),
    }
    newest = result.get_asset_materialization_events()[-1].materialization
    assert newest.metadata["dagster/row_count"].value == 3
    assert newest.metadata["inserted"].value == 3
    assert newest.metadata["lakehouse/touched_partitions"].value == ["2025-01-02", "2025-06-01"]

    lake.land([order(1, second)], FIELDS, epoch=EPOCH + DAY_MS)  # the order moves to another day
    assert events(materialize("2025-06-01", "2025-06-01")) == {
        "2025-01-02": (1, 1),
        "2025-01-03": (1, 1),
        "2025-06-01": (1, 0),
    }


def test_months_have_events_of_their_own(lake: Lake) -> None:
    declared = PartitionBy(column="order_date", granularity="month", start=date(2025, 1, 1))
    table = dataclasses.replace(ORDERS, partition_by=declared)
    lake.land([order(1, date(2025, 1, 2)), order(2, date(2025, 1, 31)), order(3, date(2025, 6, 1))], FIELDS)
    instance = dg.DagsterInstance.ephemeral()
    pending = pending_merge(table, lake.settings, open_catalog(lake.settings), History(instance))
    assert pending == PendingMerge((date(2025, 1, 2), date(2025, 6, 1)))
    result = dg.materialize(
        [bronze_asset(table)],
        instance=instance,
        resources={"lakehouse": LakehouseResource(home=str(lake.home))},
        tags={
            "dagster/asset_partition_range_start": "2025-01",
            "dagster/asset_partition_range_end": "2025-02",
        },
    )
    assert events(result) == {"2025-01": (2, 2), "2025-02": (0, 0), "2025-06": (1, 1)}
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_a_commit_without_an_event_is_told_later(
    lake: Lake, materialize: Callable[..., dg.ExecuteInProcessResult]
) -> None:
    catalog = open_catalog(lake.settings)

    def pending() -> PendingMerge | None:
        history = History(materialize.instance)  # type: ignore[attr-defined]
        return pending_merge(ORDERS, lake.settings, catalog, history)

    assert pending() is None
    lake.land([order(1, date(2025, 1, 2)), order(2, date(2025, 1, 4))], FIELDS)
    assert pending() == PendingMerge((date(2025, 1, 2), date(2025, 1, 4)))

    merge_table(merge_spec(ORDERS, lake.settings), lake.settings)  # a process that dies before its event
    assert pending() == PendingMerge(None)
    assert events(materialize("2025-01-04", "2025-01-04")) == {"2025-01-02": (1, 1), "2025-01-04": (1, 1)}
    assert pending() is None
    assert events(materialize("2025-01-04", "2025-01-04")) == {"2025-01-04": (1, 0)}


def test_an_overwritten_table_is_emptied_when_the_newest_sync_found_no_row(
    lake: Lake, materialize: Callable[..., dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    overwrite = declared_stream(ORDERS).model_copy(update={"sync_mode": "full_refresh_overwrite"})
    monkeypatch.setattr("lakehouse.defs.bronze.spec.declared_stream", lambda table: overwrite)
    instance: dg.DagsterInstance = materialize.instance  # type: ignore[attr-defined]
    landing = dg.AssetKey(ORDERS.landing_key)
    now = int(time.time() * 1000)
    path = lake.land([order(1, date(2025, 1, 2))], FIELDS, epoch=now - 1000)
    materialize("2025-01-02", "2025-01-02")
    path.unlink()
    catalog = open_catalog(lake.settings)
    for rows, pending in ((1, None), (0, PendingMerge(None))):
        instance.report_runless_asset_event(dg.AssetMaterialization(landing, metadata={CHANGED: rows}))
        assert pending_merge(ORDERS, lake.settings, catalog, History(instance)) == pending
    assert events(materialize("2025-01-02", "2025-01-02")) == {"2025-01-02": (0, 1)}
    assert pending_merge(ORDERS, lake.settings, catalog, History(instance)) is None


def test_rows_of_no_declared_day_fail_the_check(
    lake: Lake, materialize: Callable[..., dg.ExecuteInProcessResult]
) -> None:
    lake.land([order(1, date(2024, 12, 31)), order(2, date(2025, 1, 2))], FIELDS)
    checks = materialize("2025-01-02", "2025-01-02").get_asset_check_evaluations()
    check = {check.check_name: check for check in checks}[CHECK]
    assert not check.passed
    assert check.metadata["days_outside"].value == ["2024-12-31"]
    assert check.description == "rows of days that are not declared: 1, of 2024-12-31 to 2024-12-31"


def test_the_contract_check_passes_warns_and_fails(
    lake: Lake, materialize: Callable[..., dg.ExecuteInProcessResult]
) -> None:
    day = date(2025, 1, 2)

    def merge() -> tuple[dg.AssetCheckEvaluation, dg.ExecuteInProcessResult]:
        result = materialize("2025-01-02", "2025-01-02")
        checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
        return checks[CONTRACT], result

    lake.land([order(1, day)], FIELDS)
    assert merge()[0].passed
    lake.land([order(2, day)], FIELDS | {"note": pa.string()}, epoch=EPOCH + 1)
    check, result = merge()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    (observed,) = result.get_asset_observation_events()
    assert "column note is new" in str(observed.asset_observation_data.asset_observation.description)
    lake.land(
        [order(None, day) | {"note": f"{n}"} for n in range(7)],
        FIELDS | {"note": pa.string()},
        epoch=EPOCH + 2,
    )
    for _ in range(2):  # until somebody decides, whatever else is merged
        check, result = merge()
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert check.metadata["rows_in_quarantine"].value == 7
        assert check.metadata["reasons"].value == {"order_id: NULL in the primary key": 7}
        examples = check.metadata["examples"].value
        assert [row["note"] for row in examples] == ["0", "1", "2", "3", "4"]
        assert check.metadata["command"].value == "lakehouse quarantine show bronze.shop__orders"
        assert failed_checks(result)[0].startswith(
            "bronze/shop/orders: contract: rows in quarantine: 7, order_id: NULL in the primary key (7);"
            " lakehouse quarantine show bronze.shop__orders"
        )


def test_a_table_of_no_declared_stream_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="connection shop lands no shop/nothing"):
        declared_stream(dataclasses.replace(ORDERS, stream="nothing"))
    with pytest.raises(ConfigurationError, match="no connection is named 'nobody'"):
        declared_stream(dataclasses.replace(ORDERS, connection="nobody"))
