"""Dashboards, from dbt's exposures: materialized when all their data has answered, and their charts in Superset."""

import time
from typing import Any

import dagster as dg

from lakehouse.catalog.boards import DeclaredBoard
from lakehouse.catalog.datasets import Catalog, Dashboard, Model, PlatformTable
from lakehouse.defs.failures import as_failures
from lakehouse.defs.project import declared_boards, declared_datasets
from lakehouse.defs.resources import LakehouseResource
from lakehouse.defs.serving.checks import charts_answer

NOT_CONFIGURED = "not configured (LAKEHOUSE_SUPERSET__URL): only the data behind it was asked for"


@dg.definitions
def defs() -> dg.Definitions:
    """One asset a dashboard, and a check of the charts of those whose content is declared."""
    catalog, boards = declared_datasets(), declared_boards()
    return dg.Definitions(
        assets=[dashboard_asset(board, catalog, boards.get(board.name)) for board in catalog.dashboards],
        asset_checks=[charts_answer(declared) for declared in boards.values()],
    )


def dashboard_asset(
    dashboard: Dashboard, catalog: Catalog, declared: DeclaredBoard | None = None
) -> dg.AssetsDefinition:
    """A dashboard downstream of its datasets and of the reflections that make them quick."""
    models = [model for model in catalog.models if model.key in dashboard.upstream]
    platform = [table for table in catalog.platform if table.key in dashboard.upstream]
    datasets: list[Model | PlatformTable] = [*models, *platform]
    reflections = [dg.AssetKey(model.reflection_key(r)) for model in models for r in model.reflections]
    shown = (
        ""
        if declared is None
        else " Where a Superset is configured, its charts are brought there and warmed."
    )

    @dg.asset(
        key=dg.AssetKey(dashboard.key),
        deps=[*(_dep(dataset) for dataset in datasets), *reflections],
        group_name="serving",
        kinds={"dashboard", "dremio", *(["superset"] if declared else [])},
        owners=[dashboard.owner] if dashboard.owner else [],
        description=f"{dashboard.description}\n\nMaterialized when every dataset behind it has answered.{shown}",
        metadata={"url": dg.MetadataValue.url(dashboard.url)} if dashboard.url else {},
    )
    def verify_dashboard(
        context: dg.AssetExecutionContext, lakehouse: LakehouseResource
    ) -> dg.MaterializeResult:
        from lakehouse.clients.dremio import DremioClient

        metadata: dict[str, Any] = {}
        with as_failures(context), DremioClient(lakehouse.settings.dremio) as dremio:
            for dataset in datasets:
                started = time.monotonic()
                metadata[f"rows/{dataset.name}"] = dremio.count(*dataset.relation.parts)
                metadata[f"seconds/{dataset.name}"] = round(time.monotonic() - started, 3)
        if declared is not None:
            with as_failures(context):
                metadata |= _published(context, declared, lakehouse)
        return dg.MaterializeResult(metadata=metadata)

    return verify_dashboard


def _published(
    context: dg.AssetExecutionContext, declared: DeclaredBoard, lakehouse: LakehouseResource
) -> dict[str, Any]:
    if lakehouse.settings.superset.url is None:
        context.log.info(f"Superset: {NOT_CONFIGURED}")
        return {"superset": NOT_CONFIGURED}
    from lakehouse.defs.serving.publish import publish

    return publish(lakehouse.settings, declared)


def _dep(dataset: Model | PlatformTable) -> dg.AssetDep:
    partitioned = isinstance(dataset, Model) and dataset.partition_by
    mapping = dg.AllPartitionMapping() if partitioned else None
    return dg.AssetDep(dg.AssetKey(dataset.key), partition_mapping=mapping)
