"""The first read of a table: all rows of one exported snapshot, with the log position that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from lakehouse.embedded.airbyte.clock import epoch_ms, iso_moment
from lakehouse.embedded.airbyte.connectors.postgres.cdc.columns import (
    LOG_COLUMNS,
    LSN,
    UPDATED_AT,
)
from lakehouse.embedded.airbyte.connectors.postgres.configuration import PostgresConfiguration
from lakehouse.embedded.airbyte.connectors.postgres.direct import read_queries
from lakehouse.embedded.airbyte.connectors.postgres.ranges import page_ranges
from lakehouse.embedded.airbyte.connectors.postgres.source import select
from lakehouse.embedded.airbyte.connectors.postgres.tables import Table
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.records import LandingBatch


def read_snapshot(
    connection: psycopg.Connection[Any],
    settings: PostgresConfiguration,
    stream: ConfiguredStream,
    table: Table,
    snapshot: tuple[str, int],
    *,
    connections: int,
) -> Iterator[LandingBatch]:
    """All rows of a table as of a snapshot, as changes made at the snapshot's log position.

    A large table is read over `connections` at once.
    """
    name, position = snapshot
    plain = LOG_COLUMNS.taken_from(stream)
    selection = select(connection, table, plain, None, for_arrow=True)
    parts = page_ranges(connection, table, connections)
    queries = [selection.query(part).as_string(connection) for part in parts]
    constants = {LSN: float(position), UPDATED_AT: iso_moment(epoch_ms())}
    for batch in read_queries(settings, queries, plain.columns, name):
        yield LOG_COLUMNS.added_to(batch, stream.columns, constants)
