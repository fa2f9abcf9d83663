"""The platform's own records as tables that people query, of a real engine, metadata database and Dagster instance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from lakehouse.catalog.datasets import Column, PlatformTable, Relation
from lakehouse.clients.dremio import DremioClient
from lakehouse.defs.platform.assets import platform_assets
from lakehouse.defs.platform.table import write
from lakehouse.defs.project import declared_datasets
from lakehouse.errors import ConfigurationError
from lakehouse.observability.metadata.database import metadata_database
from lakehouse.observability.metadata.records import put
from lakehouse.observability.metadata.tables import sync_history
from lakehouse_tests.warehouse import Warehouse, running_warehouse

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with running_warehouse(tmp_path_factory.mktemp("platform")) as made:
        yield made


def sync(job_id: int, started: datetime, **changes: Any) -> dict[str, Any]:
    ended = started + timedelta(seconds=12)
    facts = {"status": "succeeded", "rows": 100, "bytes": 2000, "failure": "", "ended": ended}
    return {"connection": "shop", "job_id": job_id, "started": started, **facts, **changes}


def recorded(warehouse: Warehouse) -> dg.ExecuteInProcessResult:
    assets = platform_assets(declared_datasets().platform)
    return warehouse.build([assets], *(key.to_user_string() for key in assets.keys))


def test_every_declared_table_has_what_the_platform_knows(warehouse: Warehouse) -> None:
    old = NOW - timedelta(days=120)
    with metadata_database(warehouse.settings).transaction() as connection:
        failed = sync(2, NOW - timedelta(hours=1), status="failed", rows=0, failure="no route", ended=None)
        put(connection, sync_history, [sync(1, NOW - timedelta(hours=2)), failed, sync(0, old)])
    first = recorded(warehouse)
    assert first.success
    assert recorded(warehouse).success  # of what the first run left
    with DremioClient(warehouse.settings.dremio) as dremio:
        rows = {
            table.records: dremio.rows(f"SELECT * FROM {table.relation}")
            for table in declared_datasets().platform
        }

    assert [(r["job_id"], r["failed"], r["records_synced"]) for r in rows["syncs"]] == [
        (1, 0, 100),
        (2, 1, 0),
    ]
    assert [r["seconds"] for r in rows["syncs"]] == [12, None]

    (run,) = rows["runs"]  # the second run does not end before it looks
    assert (run["run_id"], run["status"], run["failed"]) == (first.run_id, "success", 0)
    assert run["seconds"] > 0

    fresh = {row["dataset"]: row for row in rows["freshness"]}
    assert fresh["bronze/platform/runs"]["state"] == "fresh"
    assert fresh["gold/fct_orders"]["state"] == "never made"
    assert fresh["serving/platform_health"]["promised_hours"] == 48

    assert {(row["reflection"], row["used"]) for row in rows["reflections"]} == {
        (reflection.name, 0) for model in declared_datasets().models for reflection in model.reflections
    }


def test_an_unknown_column_is_refused(warehouse: Warehouse) -> None:
    table = PlatformTable(
        Relation("lake", "bronze", "platform__syncs"),
        "syncs",
        "",
        (Column("colour", "varchar", ""),),
        None,
        None,
    )
    with pytest.raises(ConfigurationError, match="column colour is none of the platform's syncs") as caught:
        write(warehouse.settings, table, [{"connection": "shop"}])
    assert "they have connection" in str(caught.value)
