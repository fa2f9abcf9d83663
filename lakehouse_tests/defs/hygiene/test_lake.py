"""Tables that the engine wrote give the same answers after their old snapshots and files are gone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.typedef import Identifier

from lakehouse.clients.dremio import DremioClient
from lakehouse.defs.hygiene.lake import remove_orphan_files, remove_snapshots
from lakehouse.lake.expiry import expire_snapshots
from lakehouse.lake.orphans import remove_orphans
from lakehouse_tests.warehouse import Warehouse, running_warehouse

pytestmark = pytest.mark.slow

TABLE = ("gold", "revenue")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as warehouse:
        warehouse.land("shop__orders", pa.table({"day": ["a", "b", "c"], "amount": [1, 2, 3]}))
        yield warehouse


def test_answers_are_the_same_afterwards(warehouse: Warehouse) -> None:
    with DremioClient(warehouse.settings.dremio) as dremio:
        dremio.execute(
            "CREATE TABLE lake.gold.revenue PARTITION BY (day) AS SELECT * FROM lake.bronze.shop__orders"
        )
        for day in ("a", "b", "a"):  # as windows replace themselves
            dremio.execute(f"DELETE FROM lake.gold.revenue WHERE day = '{day}'")
            dremio.execute(
                f"INSERT INTO lake.gold.revenue SELECT * FROM lake.bronze.shop__orders WHERE day = '{day}'"
            )
        before = warehouse.digest(*TABLE)
        settings, catalog = warehouse.settings, warehouse.catalog
        assert remove_snapshots(settings, catalog, dry_run=False).count == 0, "too young"
        assert remove_orphan_files(settings, catalog, dry_run=False).count == 0
        expired = expire_snapshots(catalog.load_table(TABLE), timedelta(0))
        assert len(expired) == 6
        files = {file.path for file in remove_orphans(TABLE, settings, catalog, timedelta(0))}
        assert any(path.endswith(".parquet") for path in files)
        assert not any(Path(path).exists() for path in files)
        assert warehouse.digest(*TABLE) == before
        dremio.execute("DELETE FROM lake.gold.revenue WHERE day = 'c'")
        assert [row["day"] for row in warehouse.rows(*TABLE)] == ["a", "b"]


class _Late(SqlCatalog):
    """Lists a table that somebody has dropped since."""

    def list_tables(self, namespace: str | Identifier) -> list[Identifier]:
        return [*super().list_tables(namespace), ("gold", "dropped__dbt_tmp")]


def test_a_table_that_is_dropped_meanwhile_stops_nothing(warehouse: Warehouse) -> None:
    catalog = _Late("lake", **warehouse.catalog.properties)
    assert remove_snapshots(warehouse.settings, catalog, dry_run=False).count == 0
    assert remove_orphan_files(warehouse.settings, catalog, dry_run=False).count == 0
