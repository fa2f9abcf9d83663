"""What holds for every asset unless its declaration says otherwise: an owner and a freshness policy."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from lakehouse.catalog.meta import Freshness

DEFAULT_OWNER = "team:data"
DEFAULT_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36))
"""One missed nightly run, and half a day to mend it."""


def freshness_of(declared: Freshness | None) -> dg.FreshnessPolicy | None:
    """A declared freshness as Dagster's policy; None leaves the default."""
    if declared is None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=declared.fail_after, warn_window=declared.warn_after)


def with_policies(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The spec with the default owner and freshness policy where it has none of its own."""
    owned = spec if spec.owners else spec.replace_attributes(owners=[DEFAULT_OWNER])
    return dg.apply_freshness_policy(owned, DEFAULT_FRESHNESS, overwrite_existing=False)
