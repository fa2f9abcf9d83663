"""The checks of every dataset, one step a layer: a table's metadata is read once for all of them."""

from collections.abc import Iterator, Sequence

import dagster as dg

from lakehouse.defs.checks.columns import COLUMNS_AS_BEFORE
from lakehouse.defs.checks.current import DATA_IS_CURRENT
from lakehouse.defs.checks.keys import KEYS_ARE_UNIQUE
from lakehouse.defs.checks.lag import CHANGES_ARE_MERGED
from lakehouse.defs.checks.look import Dataset, Facts, Kind, Look, looking
from lakehouse.defs.checks.reconcile import RECONCILES
from lakehouse.defs.checks.rows import ROW_COUNT_IS_USUAL
from lakehouse.defs.checks.source_rows import ROWS_AS_IN_SOURCE
from lakehouse.defs.project import declared_datasets
from lakehouse.defs.resources import LakehouseResource
from lakehouse.errors import LakehouseError, TransientError

KINDS: tuple[Kind, ...] = (
    DATA_IS_CURRENT,
    ROW_COUNT_IS_USUAL,
    COLUMNS_AS_BEFORE,
    KEYS_ARE_UNIQUE,
    RECONCILES,
    CHANGES_ARE_MERGED,
    ROWS_AS_IN_SOURCE,
)


@dg.definitions
def defs() -> dg.Definitions:
    """One multi-asset check a bronze source, and one each for silver and gold.

    Not one for all: the checks of a step wait for every asset of it, and would wait for gold to tell of bronze.
    """
    catalog = declared_datasets()
    groups: dict[str, list[Dataset]] = {}
    for table in catalog.bronze:
        groups.setdefault(f"bronze_{table.source}", []).append(table)
    for model in catalog.models:
        groups.setdefault(model.layer, []).append(model)
    made = (dataset_checks(name, datasets) for name, datasets in groups.items())
    return dg.Definitions(asset_checks=[checks for checks in made if checks])


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
    )
    def check(
        context: dg.AssetCheckExecutionContext, lakehouse: LakehouseResource
    ) -> Iterator[dg.AssetCheckResult]:
        with looking(lakehouse.settings, context.instance, context.run) as look:
            for key, (dataset, kind) in by_key.items():
                if key in context.selected_asset_check_keys:
                    yield dg.AssetCheckResult(
                        asset_key=key.asset_key, check_name=key.name, **_facts(dataset, kind, look)
                    )

    return check


def _facts(dataset: Dataset, kind: Kind, look: Look) -> Facts:
    """What was found; what cannot be found out is a failed check that says why, and hides no other check.

    A warning where that may pass, such as a service that is down: nobody knows of anything wrong with the data.
    """
    try:
        return kind.look_at(dataset, look)
    except TransientError as error:
        return {"passed": False, "severity": dg.AssetCheckSeverity.WARN, "description": str(error)}
    except LakehouseError as error:
        return {"passed": False, "description": str(error)}
