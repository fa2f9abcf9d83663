"""Which condition holds for which asset, by its layer and by what the environment runs."""

from __future__ import annotations

from functools import cache
from typing import Any

import dagster as dg

from lakehouse.catalog.datasets import PLATFORM
from lakehouse.defs.automation.conditions import REFRESH_ON_STALE, each_tick, propagate
from lakehouse.defs.automation.environments import Environment, here
from lakehouse.defs.automation.tiers import CRON, tiers
from lakehouse.defs.project import declared_datasets


def with_condition(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The spec with the condition of its layer, if this environment evaluates those."""
    condition = condition_of(spec, here())
    return spec if condition is None else spec.replace_attributes(automation_condition=condition)


def condition_of(spec: dg.AssetSpec, environment: Environment) -> Any:
    """The asset's condition in that environment; None where nothing evaluates any.

    Landing has none: its runs are syncs, which schedules start. Bronze has one only where no sensor of changes merges
    what landed; where there is one, it also follows what anybody else changes in bronze. The platform's own records are
    there for dashboards and are made where those are.
    """
    layer = spec.key.path[0]
    if spec.group_name == PLATFORM:
        runs = environment.runs("automation_serving")
        return each_tick(CRON["every_15_minutes"], environment.timezone) if runs else None
    if layer == "bronze" and environment.runs("automation_bronze"):
        return _merge_of(spec, environment)
    if layer in ("silver", "gold") and environment.runs("automation_models"):
        return propagate(without=_followed(environment), plain=_plain(spec))
    if layer in ("reflections", "serving") and environment.runs("automation_serving"):
        either = propagate(without=_followed(environment)) | REFRESH_ON_STALE
        return either.with_label("propagate, or refresh when stale")
    return None


def _merge_of(spec: dg.AssetSpec, environment: Environment) -> Any:
    tier = next((tier for key, tier in _tier_by_table().items() if key == tuple(spec.key.path)), None)
    return each_tick(CRON[tier], environment.timezone) if tier else None


@cache
def _tier_by_table() -> dict[tuple[str, ...], Any]:
    tables = declared_datasets().bronze
    by_connection = tiers(tables)
    return {t.key: by_connection[t.connection] for t in tables if t.connection in by_connection}


def _followed(environment: Environment) -> dg.AssetSelection:
    """What sensors of changes follow."""
    return dg.AssetSelection.groups("bronze") if environment.runs("changes") else dg.AssetSelection.assets()


def _plain(spec: dg.AssetSpec) -> dg.AssetSelection:
    """Of an asset with partitions, what is upstream of it and has none."""
    if spec.partitions_def is None:
        return dg.AssetSelection.assets()
    declared = declared_datasets().by_key
    upstream = [(dep.asset_key, declared.get(tuple(dep.asset_key.path))) for dep in spec.deps]
    return dg.AssetSelection.assets(*[key for key, found in upstream if found and found.partition_by is None])
