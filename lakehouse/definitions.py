"""What Dagster loads: the definitions of lakehouse/defs, with the policies that hold for all of them."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from lakehouse.defs.automation.policy import with_condition
from lakehouse.defs.policies import with_policies


@dg.definitions
def defs() -> dg.Definitions:
    """The whole graph; loads with every service stopped and without a network."""
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(
        loaded.permissive_map_resolved_asset_specs(
            func=lambda spec: with_condition(with_policies(spec)),
            selection=dg.AssetSelection.all().materializable(),
        ),
        # A step process of its own costs seconds of imports; the work itself runs in Airbyte and Dremio.
        dg.Definitions(executor=dg.in_process_executor),
    )
