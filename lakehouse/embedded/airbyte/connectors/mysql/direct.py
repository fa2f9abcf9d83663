"""source-mysql without the protocol: Arrow batches of one stream, and its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lakehouse.embedded.airbyte.connectors.mysql.configuration import configuration_of
from lakehouse.embedded.airbyte.connectors.mysql.rows import SNAPSHOT, read_batches, select
from lakehouse.embedded.airbyte.connectors.mysql.sessions import connected
from lakehouse.embedded.airbyte.connectors.mysql.tables import table_for
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.records import LandingBatch


def read(
    configuration: Mapping[str, Any], stream: ConfiguredStream, state: Mapping[str, Any] | None
) -> Iterator[LandingBatch | StreamState]:
    """One stream's batches and, at its end, its state."""
    settings = configuration_of(configuration)
    with connected(settings) as session:
        table = table_for(session, settings, stream)
        session.query(SNAPSHOT)
        query, arguments, reached = select(session, table, stream, state)
        yield from read_batches(session, query, arguments, table, stream.columns)
    if reached is not None:
        yield StreamState(reached)
