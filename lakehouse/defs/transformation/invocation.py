"""One dbt build for the selected assets and checks of a run, its results as Dagster's events."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from lakehouse.catalog.datasets import Catalog, Model
from lakehouse.clients.dremio import DremioClient, quoted
from lakehouse.clients.lake_source import prepare_dremio
from lakehouse.defs.metadata import CHANGED
from lakehouse.defs.project import declared_datasets, prepared_manifest
from lakehouse.defs.transformation.facts import model_facts
from lakehouse.defs.transformation.gate import Gate
from lakehouse.defs.transformation.history import recorded
from lakehouse.defs.transformation.leavings import remove_old
from lakehouse.defs.transformation.lineage import column_lineage
from lakehouse.defs.transformation.runner import RUN, Invocation
from lakehouse.defs.transformation.selection import selected_names
from lakehouse.defs.transformation.translator import CatalogTranslator
from lakehouse.defs.transformation.window import Window
from lakehouse.settings import Settings


def invoke(
    context: dg.AssetExecutionContext,
    settings: Settings,
    arguments: Sequence[str],
    window: Window | None,
    project_dir: Path,
    *,
    only: frozenset[str] = frozenset(),
) -> Iterator[Any]:
    """Run dbt and yield an Output for each model built and tested, and an AssetCheckResult for each test.

    `window` is None for unpartitioned models; `only` are the days of it that are built, all of them when it is empty.

    Raises:
        ServiceDownError, ServiceRefusedError: Dremio is down or refuses the credentials.
        PermanentError: dbt could not run.
        dagster.Failure: a model or an error-severity test failed; names them.
    """
    catalog = declared_datasets(project_dir)
    manifest, translator = _manifest(prepared_manifest(project_dir)), CatalogTranslator(catalog)
    models = {model.unique_id: model for model in catalog.models}
    prepare_dremio(settings)
    names = selected_names(
        manifest, translator, context.selected_asset_keys, context.selected_asset_check_keys
    )
    invocation = Invocation(
        [*arguments, "--indirect-selection", "empty", "--select", *names],
        target=settings.home / "dbt" / context.op_execution_context.op.name,
        environ={**settings.environ, RUN: context.run_id},
        project_dir=project_dir,
        lock=settings.home / "dbt" / "lock",
    )
    remove_old(settings.home / "dbt")
    gate = Gate(context.selected_asset_check_keys)
    context.log.info(f"dbt {' '.join(invocation.arguments)}")
    with DremioClient(settings.dremio) as dremio:
        _refresh_metadata(dremio, settings, catalog, context.selected_asset_keys)
        project = manifest["metadata"]["project_name"]
        for raw in recorded(invocation, context, settings, window, project):
            context.log.info(raw["info"]["msg"])
            event = DbtCoreCliEventMessage(raw_event=raw, event_history_metadata={})
            for told in event.to_default_asset_events(manifest, translator, context):
                if isinstance(told, dg.Output):
                    model = models[raw["data"]["node_info"]["unique_id"]]
                    lineage = _lineage(context, invocation.compiled(model.unique_id), model, catalog)
                    output = _with_facts(
                        context, told, model, dremio,
                        settings=settings, window=window, only=only, lineage=lineage,
                    )  # fmt: skip
                    yield from gate.built(dg.AssetKey(model.key), output)
                elif isinstance(told, dg.AssetCheckResult):
                    yield _described(told)
                    yield from gate.checked(told)
                else:
                    yield told
        yield from gate.rest()
    if not invocation.succeeded:
        failures = invocation.failures() or ["no node says why"]
        raise dg.Failure(f"dbt: {'; '.join(failures)}", allow_retries=False)


def _with_facts(
    context: dg.AssetExecutionContext,
    output: dg.Output[Any],
    model: Model,
    dremio: DremioClient,
    *,
    settings: Settings,
    window: Window | None,
    only: frozenset[str],
    lineage: dg.TableColumnLineage | None,
) -> dg.Output[Any]:
    """The output with row counts, place, actual columns and their lineage; by partition where the model has any."""
    facts = model_facts(dremio, model, window)
    whole = {**output.metadata, **facts.metadata(model, settings)}
    if lineage is not None:
        whole["dagster/column_lineage"] = lineage
    if window is None:
        return dg.Output(None, output_name=output.output_name, metadata=whole)
    # A year of days needs the columns once, not 365 times: they go to the newest day, which pages show.
    newest = context.partition_keys[-1]
    for day in context.partition_keys:
        count: dict[str, Any] = {"dagster/partition_row_count": facts.by_partition.get(day, 0)}
        if only and day not in only:
            count[CHANGED] = 0
        context.add_asset_metadata(
            {**whole, **count} if day == newest else count,
            asset_key=dg.AssetKey(model.key),
            partition_key=day,
        )
    return dg.Output(None, output_name=output.output_name)


def _described(result: dg.AssetCheckResult) -> dg.AssetCheckResult:
    """With a line for people when it failed."""
    rows = result.metadata.get("dagster_dbt/failed_row_count")
    if result.passed or rows is None:
        return result
    return result._replace(description=f"rows that fail: {rows.value}")


def _lineage(
    context: dg.AssetExecutionContext, sql: str, model: Model, catalog: Catalog
) -> dg.TableColumnLineage | None:
    """From the SQL that dbt has just compiled; None, and a warning, when it cannot be traced."""
    datasets = catalog.by_key
    found = column_lineage(sql, model, [datasets[key] for key in model.upstream])
    if found is None:
        context.log.warning(f"{model.unique_id}: no lineage by column, its SQL cannot be traced")
    return found


def _refresh_metadata(
    dremio: DremioClient, settings: Settings, catalog: Catalog, selected: Collection[dg.AssetKey]
) -> None:
    """Tell a real Dremio about commits to bronze; the embedded engine reads the newest snapshot always."""
    if settings.iceberg.type != "rest":
        return
    read = {key for model in catalog.models if dg.AssetKey(model.key) in selected for key in model.upstream}
    for table in catalog.bronze:
        if table.key in read:
            dremio.execute(f"ALTER TABLE {quoted(*table.relation.parts)} REFRESH METADATA")


def _manifest(path: Path) -> Mapping[str, Any]:
    return _manifest_of(path, path.stat().st_mtime_ns)


@cache
def _manifest_of(path: Path, _version: int) -> Mapping[str, Any]:
    return dict(json.loads(path.read_text()))
