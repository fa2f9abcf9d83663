"""Reflections as native assets, downstream of their dataset."""

from collections.abc import Iterator

import dagster as dg

from lakehouse.catalog.datasets import Model
from lakehouse.catalog.meta import Reflection
from lakehouse.defs.failures import as_failures
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource

CHECK = "accelerates"


@dg.definitions
def defs() -> dg.Definitions:
    """One multi-asset a dataset: Dremio refreshes all reflections of a dataset together."""
    return dg.Definitions(
        assets=[reflection_assets(model) for model in declared_datasets().models if model.reflections]
    )


def reflection_assets(model: Model) -> dg.AssetsDefinition:
    """The reflections that a model declares."""
    by_key = {dg.AssetKey(model.reflection_key(r)): r for r in model.reflections}
    mapping = dg.AllPartitionMapping() if model.partition_by else None

    @dg.multi_asset(
        name=f"reflections_{model.name}",
        specs=[
            dg.AssetSpec(
                key,
                deps=[dg.AssetDep(dg.AssetKey(model.key), partition_mapping=mapping)],
                group_name="reflections",
                kinds={"dremio", "reflection"},
                owners=[model.owner] if model.owner else [],
                description=_description(model, reflection),
            )
            for key, reflection in by_key.items()
        ],
        check_specs=[
            dg.AssetCheckSpec(CHECK, asset=key, description=f"Dremio answers from it: `{r.sample_query}`")
            for key, r in by_key.items()
            if r.sample_query
        ],
        can_subset=True,
    )
    def refresh_reflections(
        context: dg.AssetExecutionContext, lakehouse: LakehouseResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from lakehouse.clients.dremio import DremioClient
        from lakehouse.defs.acceleration.check import acceleration_check
        from lakehouse.defs.acceleration.reconcile import reconcile

        wanted = {key: r for key, r in by_key.items() if key in context.selected_asset_keys}
        checked = {check.asset_key for check in context.selected_asset_check_keys}
        with as_failures(context), DremioClient(lakehouse.settings.dremio) as dremio:
            done = reconcile(dremio, model, wanted.values(), context.log.info)
            for key, reflection in wanted.items():
                refreshed = done[reflection.name]
                state = refreshed.state
                yield dg.MaterializeResult(
                    asset_key=key,
                    metadata={
                        "dagster/row_count": state.rows,
                        "bytes": state.size_bytes,
                        "seconds": round(refreshed.seconds, 3),
                        "dremio/action": refreshed.action,
                        "dremio/reflection_id": state.id,
                        "dremio/status": state.status,
                    },
                )
                if key in checked:
                    yield acceleration_check(dremio, model, reflection, key, state.id)

    return refresh_reflections


def _description(model: Model, reflection: Reflection) -> str:
    if reflection.type == "raw":
        return f"Raw reflection of `{model.relation}`: {', '.join(reflection.display)}."
    measures = ", ".join(f"{'/'.join(m.computations)} of {m.column}" for m in reflection.measures)
    dimensions = ", ".join(d.column for d in reflection.dimensions)
    return f"Aggregate reflection of `{model.relation}`: {measures or 'counts'} by {dimensions}."
