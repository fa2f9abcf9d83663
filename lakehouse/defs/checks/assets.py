"""The checks of every dataset, one step a layer: a table's metadata is read once for all of them."""

from collections.abc import Iterator, Sequence

import dagster as dg

from lakehouse.defs.checks.grown_old import grown_old_sensor
from lakehouse.defs.checks.kinds import KINDS, facts_of
from lakehouse.defs.checks.look import Dataset, looking
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource

_LAST = {"dagster/priority": "-10"}
"""Nothing waits for these checks, so they wait for everything that can be built: data comes first."""


@dg.definitions
def defs() -> dg.Definitions:
    """One multi-asset check a bronze source, and one each for silver and gold; and a sensor for when nothing runs.

    Not one for all: the checks of a step wait for every asset of it, and would wait for gold to tell of bronze.
    """
    catalog = declared_datasets()
    groups: dict[str, list[Dataset]] = {}
    for table in catalog.bronze:
        groups.setdefault(f"bronze_{table.source}", []).append(table)
    for model in catalog.models:
        groups.setdefault(model.layer, []).append(model)
    made = (dataset_checks(name, datasets) for name, datasets in groups.items())
    return dg.Definitions(
        asset_checks=[checks for checks in made if checks],
        sensors=[grown_old_sensor([*catalog.bronze, *catalog.models])],
    )


def dataset_checks(name: str, datasets: Sequence[Dataset]) -> dg.AssetChecksDefinition | None:
    """Every kind of check of every one of these datasets to which it applies; None when there is none."""
    by_key = {
        dg.AssetCheckKey(dg.AssetKey(dataset.key), kind.name): (dataset, kind)
        for dataset in datasets
        for kind in KINDS
        if kind.applies(dataset)
    }
    if not by_key:
        return None

    @dg.multi_asset_check(
        name=f"check_{name}",
        specs=[
            dg.AssetCheckSpec(key.name, asset=key.asset_key, description=kind.description)
            for key, (_, kind) in by_key.items()
        ],
        can_subset=True,
        op_tags=_LAST,
    )
    def check(
        context: dg.AssetCheckExecutionContext, lakehouse: LakehouseResource
    ) -> Iterator[dg.AssetCheckResult]:
        with looking(lakehouse.settings, context.instance, context.run) as look:
            for key, (dataset, kind) in by_key.items():
                if key in context.selected_asset_check_keys:
                    yield dg.AssetCheckResult(
                        asset_key=key.asset_key, check_name=key.name, **facts_of(dataset, kind, look)
                    )

    return check
