"""The assets of the graph, as metrics tell of them. Dagster's definitions are not loaded for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from lakehouse.catalog.datasets import PLATFORM, Catalog, Key
from lakehouse.catalog.freshness import declared_freshness, layer_default
from lakehouse.defs.policies import DEFAULT_OWNER, freshness_policy


@dataclass(frozen=True)
class DeclaredAsset:
    """What labels an asset's metrics, and how fresh it has to be."""

    group: str
    owner: str
    freshness: dg.FreshnessPolicy


Assets = Callable[[], Mapping[dg.AssetKey, DeclaredAsset]]
"""Asked at every reading: what is declared may change while a server lives."""


def declared_assets(catalog: Catalog) -> dict[dg.AssetKey, DeclaredAsset]:
    """Every asset that a dbt project declares, by key."""
    promised = declared_freshness(catalog)
    return {
        dg.AssetKey(key): DeclaredAsset(
            group, owner or DEFAULT_OWNER, freshness_policy(promised.get(key) or layer_default(key))
        )
        for key, group, owner in _assets(catalog)
    }


def _assets(catalog: Catalog) -> Iterator[tuple[Key, str, str | None]]:
    """(key, group, owner); the group is the layer, but of the platform's own records."""
    owners: list[tuple[Key, str | None]] = []
    for table in catalog.bronze:
        owners += [(table.landing_key, table.owner), (table.key, table.owner)]
    for model in catalog.models:
        owners.append((model.key, model.owner))
        owners += [(model.reflection_key(reflection), model.owner) for reflection in model.reflections]
    owners += [(board.key, board.owner) for board in catalog.dashboards]
    yield from ((key, key[0], owner) for key, owner in owners)
    yield from ((own.key, PLATFORM, own.owner) for own in catalog.platform)
