"""dbt models as assets: one op for the unpartitioned ones, one for each partitions definition."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from lakehouse.catalog.datasets import Model
from lakehouse.catalog.meta import PartitionBy
from lakehouse.defs.failures import as_failures
from lakehouse.defs.partitions import partitions_of
from lakehouse.defs.project import declared_datasets, prepared_manifest
from lakehouse.defs.resources import LakehouseResource
from lakehouse.defs.transformation.translator import CatalogTranslator

POOL = "dbt"


class DbtConfig(dg.Config):
    """Run configuration of the dbt ops."""

    full_refresh: bool = False
    """Rebuild incremental models from all their inputs, not only the run's days."""


@dg.definitions
def defs() -> dg.Definitions:
    """Every model and snapshot; their tests become asset checks."""
    catalog = declared_datasets()
    groups: dict[tuple[str, str] | None, list[Model]] = {}
    for model in catalog.models:
        groups.setdefault(_window(model.partition_by), []).append(model)
    translator = CatalogTranslator(catalog)
    return dg.Definitions(assets=[model_assets(models, translator) for models in groups.values()])


def model_assets(models: list[Model], translator: CatalogTranslator) -> dg.AssetsDefinition:
    """Models of one partitions definition; a run builds those selected in one dbt invocation."""
    partitioned = models[0].partition_by
    partitions = partitions_of(partitioned)

    @dbt_assets(
        manifest=prepared_manifest(),
        select=" ".join(sorted(model.name for model in models)),
        name=op_name(partitioned),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        dagster_dbt_translator=translator,
        pool=POOL,
    )
    def build_models(
        context: dg.AssetExecutionContext, config: DbtConfig, lakehouse: LakehouseResource
    ) -> Iterator[Any]:
        from lakehouse.defs.transformation.arguments import build_arguments, days_of
        from lakehouse.defs.transformation.invocation import invoke

        window = days_of(context.partition_time_window) if partitions else None
        arguments = build_arguments(window, full_refresh=config.full_refresh)
        with as_failures():
            yield from invoke(context, lakehouse.settings, arguments, window)

    return build_models


def op_name(declared: PartitionBy | None) -> str:
    """The op of all models with these partitions.

    >>> op_name(PartitionBy(column="day", start="2013-01-01", end="2014-01-01"))
    'dbt_by_day_from_20130101_to_20140101'
    """
    if declared is None:
        return "dbt"
    end = f"_to_{declared.end:%Y%m%d}" if declared.end else ""
    return f"dbt_by_{declared.granularity}_from_{declared.start:%Y%m%d}{end}"


def _window(declared: PartitionBy | None) -> tuple[str, str] | None:
    return (str(declared.start), str(declared.end)) if declared else None
