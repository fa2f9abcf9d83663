"""Partitions whose newest outcome is a failure, from `partition_outcomes`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from lakehouse.defs.monitoring.metrics.declared import Assets
from lakehouse.observability.metrics.metric import Metric
from lakehouse.observability.metrics.source import Reading, Source

if TYPE_CHECKING:
    from lakehouse.observability.metadata.database import MetadataDatabase

NOT_MADE = Metric(
    "lakehouse_partitions_not_made",
    "gauge",
    "Partitions of an asset whose newest attempt failed, failed a check, or was not come to; 1 of one without partitions.",
    ("asset",),
)


def partitions(database: MetadataDatabase, declared: Assets) -> Source:
    """The assets of the graph; all of them, those that are well as 0."""

    def read() -> Reading:
        from lakehouse.observability.metadata.outcomes import newest_not_made, unended_backfills

        assets = [key.to_user_string() for key in declared()]
        with database.transaction() as connection:
            alive = list(unended_backfills(connection))
            found = newest_not_made(connection, assets, alive)
        return {NOT_MADE: [((asset,), len(found.get(asset, ()))) for asset in assets]}

    return Source("partitions", (NOT_MADE,), read, timedelta(seconds=25))
