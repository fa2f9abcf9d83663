"""A lake with a real engine over it, whose bronze tables are written with pyiceberg, and Dagster runs on it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse.clients.dremio import DremioClient
from lakehouse.settings import Settings, load_settings
from lakehouse_tests.engine import PASSWORD, USER, Engine, running_engine


class Warehouse:
    """The lake of one engine, the home that leads to it, and a Dagster instance."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        self.directory, self.engine = directory, engine
        lake = f"file://{directory}/lake"
        uri = f"sqlite:///{directory}/catalog.db"
        self.catalog = SqlCatalog("lake", uri=uri, warehouse=lake)
        self.home = directory / "warehouse"
        self.home.mkdir()
        values = {
            "LAKE_URL": lake,
            "ICEBERG__URI": uri,
            "DREMIO__PORT": engine.port,
            "DREMIO__FLIGHT_PORT": engine.flight_port,
            "DREMIO__USER": USER,
            "DREMIO__PASSWORD": PASSWORD,
        }
        lines = "".join(f"LAKEHOUSE_{name}={value}\n" for name, value in values.items())
        (self.home / "lakehouse.env").write_text(lines)
        self.instance = dg.DagsterInstance.ephemeral()

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.home)

    def land(self, name: str, rows: pa.Table) -> None:
        """Make the rows the whole content of the bronze table."""
        identifier = ("bronze", name)
        if self.catalog.table_exists(identifier):
            self.catalog.load_table(identifier).overwrite(rows)
        else:
            location = f"file://{self.directory}/lake/bronze/{name}"
            self.catalog.create_table(identifier, schema=rows.schema, location=location).append(rows)

    def rows(self, layer: str, name: str) -> list[dict[str, Any]]:
        """Every row, read without the engine, in an order that does not depend on how it was written."""
        table = self.catalog.load_table((layer, name)).scan().to_arrow()
        return sorted(table.to_pylist(), key=lambda row: str(list(row.values())))

    def digest(self, layer: str, name: str) -> str:
        """A hash over every row as Arrow Flight gives them, whatever their order."""
        with DremioClient(self.settings.dremio) as dremio:
            rows = dremio.query(f"SELECT * FROM lake.{layer}.{name}").to_pylist()
        lines = sorted(repr(sorted(row.items())) for row in rows)
        return hashlib.sha256("\n".join([str(len(lines)), *lines]).encode()).hexdigest()

    def build(
        self,
        assets: Collection[dg.AssetsDefinition],
        *names: str,
        days: tuple[str, str] | None = None,
        full_refresh: bool = False,
    ) -> dg.ExecuteInProcessResult:
        """Materialize these assets (`gold/fct_orders`) in one run; `days` is its first and last partition."""
        from lakehouse.defs.resources import LakehouseResource

        keys = {dg.AssetKey(name.split("/")) for name in names}
        ops = {definition.op.name for definition in assets if keys & definition.keys}
        return dg.materialize(
            list(assets),
            instance=self.instance,
            selection=dg.AssetSelection.assets(*keys),
            resources={"lakehouse": LakehouseResource(home=str(self.home))},
            run_config={"ops": {op: {"config": {"full_refresh": True}} for op in ops}}
            if full_refresh
            else {},
            tags={
                "dagster/asset_partition_range_start": days[0],
                "dagster/asset_partition_range_end": days[1],
            }
            if days
            else {},
            raise_on_error=False,
        )


@contextmanager
def running_warehouse(directory: Path) -> Iterator[Warehouse]:
    with running_engine(directory) as engine:
        yield Warehouse(directory, engine)
