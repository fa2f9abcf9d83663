"""dbt models as assets: one op for snapshots, one for other unpartitioned models, one for each partitions definition."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets
from dagster_dbt.dbt_manifest import read_manifest_path
from pydantic import Field

from lakehouse.catalog.datasets import Model
from lakehouse.catalog.meta import PartitionBy
from lakehouse.defs.failures import as_failures
from lakehouse.defs.partitions import partitions_of
from lakehouse.defs.project import PROJECT_DIR, declared_datasets, prepared_manifest
from lakehouse.defs.resources import LakehouseResource
from lakehouse.defs.transformation.translator import CatalogTranslator

POOL = "dbt"
_OP = "lakehouse_op"


class DbtConfig(dg.Config):
    """Run configuration of the dbt ops."""

    full_refresh: bool = False
    """Rebuild incremental models from all their inputs, not only the run's days."""
    days: list[str] = Field(default_factory=list)
    """The days of the run to build; all when empty. The others are up to date: their events tell of no change.

    Where partitions are no days, or a model reads days before its own, all of the run is built.
    """


@dg.definitions
def defs() -> dg.Definitions:
    """The models of the lakehouse's own project."""
    return dg.Definitions(assets=project_assets(PROJECT_DIR))


def project_assets(project_dir: Path) -> list[dg.AssetsDefinition]:
    """Every model and snapshot of a dbt project; their tests become asset checks."""
    catalog = declared_datasets(project_dir)
    groups: dict[str, list[Model]] = {}
    for model in catalog.models:
        groups.setdefault(op_name(model), []).append(model)
    translator = CatalogTranslator(catalog)
    manifest = _with_ops(prepared_manifest(project_dir), catalog.models)
    return [model_assets(models, translator, manifest, project_dir) for models in groups.values()]


def model_assets(
    models: list[Model], translator: CatalogTranslator, manifest: Mapping[str, Any], project_dir: Path
) -> dg.AssetsDefinition:
    """Models of one op (`op_name`); a run builds those selected in one dbt invocation."""
    partitions = partitions_of(models[0].partition_by)
    op = op_name(models[0])

    @dbt_assets(
        manifest=manifest,
        select=f"config.{_OP}:{op}",
        name=op,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        dagster_dbt_translator=translator,
        pool=POOL,
    )
    def build_models(
        context: dg.AssetExecutionContext, config: DbtConfig, lakehouse: LakehouseResource
    ) -> Iterator[Any]:
        from lakehouse.defs.transformation.arguments import build_arguments
        from lakehouse.defs.transformation.invocation import invoke
        from lakehouse.defs.transformation.window import window_of

        window = window_of(context.partition_time_window, models[0]) if partitions else None
        only = frozenset(config.days) if _is_daily(models[0]) else frozenset[str]()
        arguments = build_arguments(window, only, full_refresh=config.full_refresh)
        with as_failures():
            yield from invoke(context, lakehouse.settings, arguments, window, project_dir, only=only)

    return build_models


def _is_daily(model: Model) -> bool:
    return model.partition_by is not None and model.partition_by.granularity == "day" and not model.lookback


def op_name(model: Model) -> str:
    """The op that builds the model, with all others of the same kind, partitions and lookback."""
    if model.is_snapshot:
        return "dbt_snapshots"
    if model.partition_by is None:
        return "dbt"
    hours = f"_reads_back_{model.lookback // timedelta(hours=1)}h" if model.lookback else ""
    return f"dbt_by_{period_name(model.partition_by)}{hours}"


def period_name(declared: PartitionBy) -> str:
    """Partitions as a part of a name.

    >>> period_name(PartitionBy(column="day", start="2013-01-01", end="2014-01-01"))
    'day_from_20130101_to_20140101'
    >>> period_name(PartitionBy(column="month", granularity="month", start="2013-01-01", timezone="Europe/Berlin"))
    'month_from_20130101_in_Europe_Berlin'
    """
    end = f"_to_{declared.end:%Y%m%d}" if declared.end else ""
    zone = "" if declared.timezone == "UTC" else "_in_" + re.sub(r"\W", "_", declared.timezone)
    return f"{declared.granularity}_from_{declared.start:%Y%m%d}{end}{zone}"


def _with_ops(manifest_path: Path, models: Iterable[Model]) -> dict[str, Any]:
    """The manifest in which the configuration of each model names its op.

    Selected by their names, every model would be compared with every other: seconds for hundreds of them.
    """
    manifest = read_manifest_path(manifest_path)
    nodes = dict(manifest["nodes"])
    for model in models:
        node = nodes[model.unique_id]
        nodes[model.unique_id] = {**node, "config": {**node["config"], _OP: op_name(model)}}
    return {**manifest, "nodes": nodes}
