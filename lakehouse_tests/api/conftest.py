"""The API over a real instance and a real metadata database, with a little history in both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pyarrow as pa
import pytest
from starlette.applications import Starlette

from lakehouse.api.application import application
from lakehouse.api.platform import Platform
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity
from lakehouse.observability.alerts.store import alert_store
from lakehouse.observability.alerts.transitions import Changes, Open
from lakehouse.observability.metadata.outcome import Outcome, PartitionOutcome
from lakehouse.observability.metadata.outcomes import write_outcomes
from lakehouse.observability.metadata.records import put
from lakehouse.observability.metadata.tables import sync_history
from lakehouse.settings import load_settings
from lakehouse_tests.api.served import served
from lakehouse_tests.engine import free_port
from lakehouse_tests.warehouse import Warehouse, running_warehouse

TOKEN = "a-token-of-the-tests-0001"
OTHER_TOKEN = "a-token-of-the-tests-0002"
ROWS = 2500
NOW = datetime.now(UTC)
DAY = NOW.date().isoformat()
YESTERDAY = (NOW.date() - timedelta(days=1)).isoformat()
EARLIER = (NOW.date() - timedelta(days=2)).isoformat()


@dataclass
class Api:
    platform: Platform
    app: Starlette
    client: httpx.Client
    """Sends the token."""
    runs: list[str]
    """Ids, oldest first: customers, a day of revenue, and one that failed."""


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("home")
    nobody = {"DREMIO__PORT": free_port(), "AIRBYTE__URL": f"http://127.0.0.1:{free_port()}"}
    (home / "lakehouse.env").write_text(
        "".join(f"LAKEHOUSE_{key}={value}\n" for key, value in nobody.items())
    )
    (home / "dagster").mkdir()
    instance = dg.DagsterInstance.local_temp(
        str(home / "dagster"), overrides={"telemetry": {"enabled": False}}
    )
    platform = Platform(load_settings(home), instance)
    runs = write_history(platform)
    app = application(platform, [TOKEN, OTHER_TOKEN], requests_per_second=10_000)
    with served(app, TOKEN) as client:
        yield Api(platform, app, client, runs)
    instance.dispose()


@pytest.fixture
def stranger(api: Api) -> Iterator[httpx.Client]:
    """Has no token."""
    with httpx.Client(base_url=api.client.base_url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """An engine with the table `lake.bronze.numbers`, and small limits of queries."""
    with running_warehouse(tmp_path_factory.mktemp("lake")) as warehouse:
        days = pa.array([19_000 + n % 30 for n in range(ROWS)], pa.int32()).cast(pa.date32())
        warehouse.land("numbers", pa.table({"n": pa.array(range(ROWS), pa.int64()), "day": days}))
        limits = "LAKEHOUSE_API__QUERY_ROWS=2000\nLAKEHOUSE_API__QUERY_SECONDS=20\n"
        with (warehouse.home / "lakehouse.env").open("a") as file:
            file.write(limits)
        yield warehouse


def write_history(platform: Platform) -> list[str]:
    """Three runs, two partitions, two syncs and an alert; the runs' ids."""
    revenue = dg.DailyPartitionsDefinition(EARLIER, end_offset=1)

    @dg.asset(key=["silver", "stg_customers"])
    def customers() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"dagster/row_count": 12})

    @dg.asset(key=["gold", "fct_daily_revenue"], partitions_def=revenue)
    def daily_revenue(context) -> None:  # type: ignore[no-untyped-def]
        if context.partition_key == DAY:
            raise dg.Failure("no such day", allow_retries=False)

    def make(asset: dg.AssetsDefinition, day: str | None = None) -> str:
        return dg.materialize(
            [asset], instance=platform.instance, partition_key=day, raise_on_error=False
        ).run_id

    runs = [make(customers), make(daily_revenue, YESTERDAY), make(daily_revenue, DAY)]
    outcomes = [
        PartitionOutcome(run, "gold/fct_daily_revenue", day, outcome, NOW, NOW, 7, "refresh")
        for run, day, outcome in (
            (runs[1], YESTERDAY, Outcome.MADE),
            (runs[2], DAY, Outcome.FAILED),
        )
    ]
    syncs = [
        {
            "connection": "shop",
            "job_id": number,
            "started": NOW - timedelta(minutes=10 - number),
            "ended": NOW - timedelta(minutes=9 - number),
            "status": status,
            "rows": 100 * number,
            "bytes": 1000 * number,
            "failure": "" if status == "succeeded" else "source: the log is gone",
        }
        for number, status in ((1, "succeeded"), (2, "failed"))
    ]
    with platform.database.transaction() as connection:
        write_outcomes(connection, outcomes)
        put(connection, sync_history, syncs)
    stale = Alert(
        name=AlertName.ASSET_STALE,
        subject="gold/fct_orders",
        severity=Severity.CRITICAL,
        summary="gold/fct_orders is 3 d old; <script>alert(1)</script>",
        asset="gold/fct_orders",
        starts_at=NOW,
    )
    found = Changes(open=[Open("freshness", stale, {}, {})], ended=[], told=[])
    alert_store(platform.settings).record(NOW, {}, lambda _: found)
    alert_store(platform.settings).silence("AssetStale/silver/*", NOW + timedelta(hours=1))
    return runs


def home_of(api: Api) -> Path:
    return api.platform.settings.home
