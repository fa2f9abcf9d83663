"""A graph as small as the conditions need it, and the ticks that evaluate them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import AssetKey

from lakehouse.defs.automation.conditions import PROPAGATE, REFRESH_ON_STALE, propagate

WEEK = dg.DailyPartitionsDefinition("2025-01-01", end_date="2025-01-08", timezone="UTC")
FIRST, SECOND, LAST = "2025-01-01", "2025-01-02", "2025-01-07"
BRONZE, CUSTOMERS = AssetKey(["bronze", "orders"]), AssetKey(["silver", "customers"])
SILVER, GOLD = AssetKey(["silver", "orders"]), AssetKey(["gold", "revenue"])
METRICS, REFLECTION = AssetKey(["gold", "metrics"]), AssetKey(["reflections", "revenue", "raw"])
BOARD = AssetKey(["serving", "board"])
EVERYTHING = [BRONZE, SILVER, GOLD, METRICS, REFLECTION, BOARD]
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_SERVED = PROPAGATE | REFRESH_ON_STALE


@dataclass
class Shelf:
    """An instance and the newest cursor."""

    defs: dg.Definitions
    failing: set[AssetKey] = field(default_factory=set)
    during: dict[AssetKey, Callable[[], None]] = field(default_factory=dict)
    """What is done while an asset is made."""
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    cursor: Any = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def tick(self, *, hours: float = 0) -> dict[AssetKey, set[str | None]]:
        """What a tick asks for; `hours` after the one before, by the clock of the conditions."""
        self.now = max(datetime.now(UTC), self.now + timedelta(hours=hours))
        done = dg.evaluate_automation_conditions(
            self.defs, self.instance, cursor=self.cursor, evaluation_time=self.now
        )
        self.cursor = done.cursor
        found = {key: set(done.get_requested_partitions(key)) for key in [*EVERYTHING, CUSTOMERS]}
        return {key: days for key, days in found.items() if days}

    def run(self, keys: Collection[AssetKey], *days: str, tags: Mapping[str, str] = {}) -> bool:
        """One run of these assets over the days from the first to the last; whether it succeeded."""
        ranged = {RANGE_START: days[0], RANGE_END: days[-1]} if days else {}
        job = self.defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=set(keys))
        done = job.execute_in_process(
            instance=self.instance,
            tags={**ranged, **tags},
            raise_on_error=False,
        )
        return done.success

    def build(self) -> None:
        """Everything once, and the first tick."""
        assert self.run([CUSTOMERS])
        assert self.run(EVERYTHING, FIRST, LAST)
        assert self.tick() == {}


def shelf(*, followed: bool = False, silver: Any = None) -> Shelf:
    """Orders by day from bronze to gold, metrics and a reflection over all days, and a board."""
    failing: set[AssetKey] = set()
    during: dict[AssetKey, Callable[[], None]] = {}
    without = dg.AssetSelection.groups("bronze") if followed else dg.AssetSelection.assets()
    by_day = propagate(without=without, plain=dg.AssetSelection.assets(CUSTOMERS))

    def made(key: AssetKey, upstream: list[Any], condition: Any, partitions: Any) -> dg.AssetsDefinition:
        @dg.asset(
            key=key,
            deps=upstream,
            group_name=key.path[0],
            automation_condition=condition,
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36)),
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        )
        def build() -> None:
            during.get(key, lambda: None)()
            if key in failing:
                raise dg.Failure("made to fail", allow_retries=False)

        return build

    whole = dg.AllPartitionMapping()
    defs = dg.Definitions(
        assets=[
            made(BRONZE, [], None, WEEK),
            made(CUSTOMERS, [], None, None),
            made(SILVER, [BRONZE, CUSTOMERS], silver or by_day, WEEK),
            made(GOLD, [SILVER], PROPAGATE, WEEK),
            made(METRICS, [GOLD], PROPAGATE, None),
            made(REFLECTION, [dg.AssetDep(GOLD, partition_mapping=whole)], _SERVED, None),
            made(BOARD, [METRICS, REFLECTION], _SERVED, None),
        ],
        executor=dg.in_process_executor,
    )
    return Shelf(defs, failing, during)
