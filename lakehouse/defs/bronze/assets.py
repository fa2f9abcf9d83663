"""Bronze tables: landed changes merged into current rows, day by day where the table declares days."""

from collections.abc import Iterator, Mapping

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.automation.history import History
from lakehouse.defs.bronze.contract import contract_check, contract_result, drift_event
from lakehouse.defs.failures import as_failures
from lakehouse.defs.metadata import table_metadata
from lakehouse.defs.partitions import partitions_of
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource

CHECK = "every_row_is_in_a_partition"


@dg.definitions
def defs() -> dg.Definitions:
    """One asset a source table."""
    from lakehouse.defs.bronze.spec import declared_stream

    tables = declared_datasets().bronze
    for table in tables:
        declared_stream(table)  # refuses a table whose connection or stream is not declared
    return dg.Definitions(assets=[bronze_asset(table) for table in tables])


def bronze_asset(table: BronzeTable) -> dg.AssetsDefinition:
    """A source table as an asset: whichever days are asked for, everything pending is merged."""
    key = dg.AssetKey(table.key)
    partitions = partitions_of(table.partition_by)
    checks = [contract_check(key)]
    if partitions:
        checks.append(dg.AssetCheckSpec(CHECK, asset=key, description="No row is outside the declared days."))

    @dg.multi_asset(
        name=f"merge_{table.source}_{table.table}",
        specs=[
            dg.AssetSpec(
                key,
                deps=[dg.AssetKey(table.landing_key)],
                group_name="bronze",
                kinds={"iceberg", "duckdb"},
                owners=[table.owner] if table.owner else [],
                description=table.description,
                metadata=table_metadata(table.relation, table.columns),
                partitions_def=partitions,
            )
        ],
        check_specs=checks,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
    )
    def merge(
        context: dg.AssetExecutionContext, lakehouse: LakehouseResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from lakehouse.defs.bronze.merge import merge_and_describe
        from lakehouse.defs.bronze.report import report_partitions, table_facts

        with as_failures(context):
            merged = merge_and_describe(table, lakehouse.settings, History(context.instance))
        if event := drift_event(key, merged):
            context.log_event(event)
        if table.partition_by is None:
            yield dg.MaterializeResult(asset_key=key, metadata=table_facts(merged))
        else:
            outside = report_partitions(context, key, table.partition_by, merged)
            yield dg.MaterializeResult(asset_key=key)
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=CHECK,
                passed=not outside,
                description=_outside(outside),
                metadata={"rows_outside": sum(outside.values()), "days_outside": sorted(outside)},
            )
        yield contract_result(key, merged)

    return merge


def _outside(rows: Mapping[str, int]) -> str | None:
    """
    >>> _outside({"2024-12-31": 2, "2024-12-30": 1})
    'rows of days that are not declared: 3, of 2024-12-30 to 2024-12-31'
    """
    if not rows:
        return None
    return f"rows of days that are not declared: {sum(rows.values())}, of {min(rows)} to {max(rows)}"
