"""Dashboards, from dbt's exposures: materialized when all their data has answered over Arrow Flight."""

import time
from typing import Any

import dagster as dg

from lakehouse.catalog.datasets import Catalog, Dashboard, Model
from lakehouse.defs.failures import as_failures
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource


@dg.definitions
def defs() -> dg.Definitions:
    """One asset a dashboard."""
    catalog = declared_datasets()
    return dg.Definitions(assets=[dashboard_asset(board, catalog) for board in catalog.dashboards])


def dashboard_asset(dashboard: Dashboard, catalog: Catalog) -> dg.AssetsDefinition:
    """A dashboard downstream of its models and of the reflections that make them quick."""
    models = [model for model in catalog.models if model.key in dashboard.upstream]
    reflections = [dg.AssetKey(model.reflection_key(r)) for model in models for r in model.reflections]

    @dg.asset(
        key=dg.AssetKey(dashboard.key),
        deps=[*(_dep(model) for model in models), *reflections],
        group_name="serving",
        kinds={"dashboard", "dremio"},
        owners=[dashboard.owner] if dashboard.owner else [],
        description=f"{dashboard.description}\n\nMaterialized when every dataset behind it has answered.",
        metadata={"url": dg.MetadataValue.url(dashboard.url)} if dashboard.url else {},
    )
    def verify_dashboard(
        context: dg.AssetExecutionContext, lakehouse: LakehouseResource
    ) -> dg.MaterializeResult:
        from lakehouse.clients.dremio import DremioClient

        metadata: dict[str, Any] = {}
        with as_failures(context), DremioClient(lakehouse.settings.dremio) as dremio:
            for model in models:
                started = time.monotonic()
                metadata[f"rows/{model.name}"] = dremio.count(*model.relation.parts)
                metadata[f"seconds/{model.name}"] = round(time.monotonic() - started, 3)
        return dg.MaterializeResult(metadata=metadata)

    return verify_dashboard


def _dep(model: Model) -> dg.AssetDep:
    mapping = dg.AllPartitionMapping() if model.partition_by else None
    return dg.AssetDep(dg.AssetKey(model.key), partition_mapping=mapping)
