"""What Dagster loads: the definitions of lakehouse/defs, with the policies that hold for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from lakehouse.defs.automation.policy import with_condition
from lakehouse.defs.policies import with_policies

_preloaded: list[dg.Definitions] = []
"""At most one: what a forked run has from the process that it was forked from."""


@dg.definitions
def defs() -> dg.Definitions:
    """The whole graph; loads with every service stopped and without a network."""
    return _preloaded[0] if _preloaded else _whole_graph()


def _whole_graph() -> dg.Definitions:
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(
        loaded.permissive_map_resolved_asset_specs(
            func=lambda spec: with_condition(with_policies(spec)),
            selection=dg.AssetSelection.all().materializable(),
        ),
        # A step process of its own costs seconds of imports; the work itself runs in Airbyte and Dremio.
        dg.Definitions(executor=dg.in_process_executor),
    )


def preload() -> Sequence[Path]:
    """Import and load all that a run needs and that does not change between runs, with every service stopped.

    Returns:
        The folders whose files it was made of.
    """
    from lakehouse.defs.preload import preload_libraries

    _preloaded.append(_whole_graph())
    _preloaded[0].get_repository_def()
    return preload_libraries()
