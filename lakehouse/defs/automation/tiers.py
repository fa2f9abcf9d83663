"""The tiers that tables declare: how often the connection that lands them is synced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.catalog.meta import Tier
from lakehouse.defs.ingestion.declaration import connection_of
from lakehouse.errors import ConfigurationError

CRON: Mapping[Tier, str] = {
    "every_15_minutes": "*/15 * * * *",
    "every_6_hours": "0 */6 * * *",
    "daily": "0 0 * * *",
}
"""In the hours of the environment's time zone."""


def tiers(tables: Iterable[BronzeTable]) -> dict[str, Tier]:
    """The tier of each connection of which a table declares one: the most frequent of its tables.

    Raises:
        ConfigurationError: a table declares a tier, and Airbyte itself starts the syncs of its connection.
    """
    order = get_args(Tier)
    found: dict[str, Tier] = {}
    for table in tables:
        if table.schedule is None:
            continue
        connection = connection_of(table.connection)
        if connection is not None and connection.schedule != "manual":
            raise ConfigurationError(
                f"meta.lakehouse.schedule is {table.schedule}, though Airbyte starts the syncs of connection"
                f" {connection.name} ({connection.schedule})",
                where=f"source {table.source}, table {table.relation.name}",
                remedy="leave one of them out",
            )
        before = found.get(table.connection, table.schedule)
        found[table.connection] = min(before, table.schedule, key=order.index)
    return found
