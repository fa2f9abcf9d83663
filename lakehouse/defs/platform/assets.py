"""What the platform knows of itself as bronze tables, so that dashboards show it like any other data."""

from collections.abc import Iterator, Sequence

import dagster as dg

from lakehouse.catalog.datasets import PLATFORM, PlatformTable
from lakehouse.defs.failures import as_failures
from lakehouse.defs.metadata import table_metadata
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource


@dg.definitions
def defs() -> dg.Definitions:
    """One multi-asset of the tables that the project declares."""
    tables = declared_datasets().platform
    return dg.Definitions(assets=[platform_assets(tables)] if tables else [])


def platform_assets(tables: Sequence[PlatformTable]) -> dg.AssetsDefinition:
    """Every table holds what is known when it is materialized; nothing of before is kept in it."""
    by_key = {dg.AssetKey(table.key): table for table in tables}

    @dg.multi_asset(
        name="platform_records",
        specs=[
            dg.AssetSpec(
                key,
                group_name=PLATFORM,  # not bronze: no sensor of changes and no nightly merge takes them
                kinds={"iceberg"},
                owners=[table.owner] if table.owner else [],
                description=table.description,
                metadata=table_metadata(table.relation, table.columns),
            )
            for key, table in by_key.items()
        ],
        can_subset=True,
    )
    def record(
        context: dg.AssetExecutionContext, lakehouse: LakehouseResource
    ) -> Iterator[dg.MaterializeResult]:
        from lakehouse.defs.platform.records import records_of
        from lakehouse.defs.platform.table import write

        for key, table in by_key.items():
            if key not in context.selected_asset_keys:
                continue
            with as_failures(context):
                rows = records_of(table.records, lakehouse.settings, context.instance)
                metadata = write(lakehouse.settings, table, rows)
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    return record
