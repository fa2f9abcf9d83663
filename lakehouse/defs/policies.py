"""What holds for every asset: an owner, and a freshness policy from the catalogue."""

from __future__ import annotations

from functools import cache

import dagster as dg

from lakehouse.catalog.datasets import Key
from lakehouse.catalog.freshness import declared_freshness, layer_default
from lakehouse.catalog.meta import Freshness
from lakehouse.defs.project import declared_datasets

DEFAULT_OWNER = "team:data"


def freshness_policy(promised: Freshness) -> dg.FreshnessPolicy:
    """As Dagster's policy, which is about materializations: data that is old itself fails `data_is_current`."""
    return dg.FreshnessPolicy.time_window(fail_window=promised.fail_after, warn_window=promised.warn_after)


def promised_freshness(key: Key) -> Freshness:
    """How old an asset of the graph may get."""
    return _declared().get(key) or layer_default(key)


def with_policies(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The spec with the default owner where it has none, and with its freshness policy."""
    owned = spec if spec.owners else spec.replace_attributes(owners=[DEFAULT_OWNER])
    promised = promised_freshness(tuple(spec.key.path))
    return owned.replace_attributes(freshness_policy=freshness_policy(promised))


@cache
def _declared() -> dict[Key, Freshness]:
    return declared_freshness(declared_datasets())
