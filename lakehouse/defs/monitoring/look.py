"""What sources of alerts look at: an instance, the settings, and what the graph says about assets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse.observability.alerts.alert import PLATFORM_GROUP, PLATFORM_OWNER
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from lakehouse.observability.alerts.declaration import Alerting


@dataclass(frozen=True)
class AssetFacts:
    """What an alert says about its asset."""

    owner: str
    group: str
    freshness: dg.FreshnessPolicy | None
    checks: Collection[dg.AssetCheckKey]
    connection: str | None
    """The Airbyte connection that lands it."""


@dataclass
class Look:
    """One look; sources that follow something find in `kept` what they kept, and put there what they keep."""

    instance: dg.DagsterInstance
    settings: Settings
    alerting: Alerting
    repository: dg.RepositoryDefinition
    kept: dict[str, Any] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def assets(self) -> Mapping[dg.AssetKey, AssetFacts]:
        """Every asset of the graph."""
        graph = self.repository.asset_graph
        return {
            node.key: AssetFacts(
                owner=",".join(node.owners) or PLATFORM_OWNER,
                group=node.group_name or PLATFORM_GROUP,
                freshness=node.freshness_policy if node.is_materializable else None,
                checks=node.check_keys,
                connection=node.tags.get("lakehouse/connection") if node.key.path[0] == "landing" else None,
            )
            for node in graph.asset_nodes
        }

    def labels(self, keys: Collection[dg.AssetKey]) -> dict[str, str]:
        """The fields `asset`, `owner` and `group` of an alert about these assets: all of their owners."""
        facts = [self.assets[key] for key in keys if key in self.assets]
        owners = {owner for fact in facts for owner in fact.owner.split(",")}
        groups = {fact.group for fact in facts}
        return {
            "asset": next(iter(keys)).to_user_string() if len(keys) == 1 else "",
            "owner": ",".join(sorted(owners)) or PLATFORM_OWNER,
            "group": groups.pop() if len(groups) == 1 else PLATFORM_GROUP,
        }
