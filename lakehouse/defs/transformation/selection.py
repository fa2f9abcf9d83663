"""What dbt has to select for the assets and checks of a run, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from lakehouse.defs.transformation.translator import CatalogTranslator


def selected_names(
    manifest: Mapping[str, Any],
    translator: CatalogTranslator,
    assets: Iterable[dg.AssetKey],
    checks: Iterable[dg.AssetCheckKey],
) -> list[str]:
    """Names of models and tests; to be used with `--indirect-selection empty`.

    dbt's own indirect selection would also run the tests that other models have against these, before those
    other models exist.
    """
    wanted, wanted_checks = set(assets), set(checks)

    def is_selected(unique_id: str, node: Mapping[str, Any]) -> bool:
        if node["resource_type"] == "test":
            return get_asset_check_key_for_test(manifest, translator, unique_id, None) in wanted_checks
        return translator.get_asset_key(node) in wanted

    return sorted(
        node["name"] for unique_id, node in manifest["nodes"].items() if is_selected(unique_id, node)
    )
