"""source-mysql without the protocol: Arrow batches of one stream, and its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lakehouse.embedded.airbyte.connectors.mysql.cdc.columns import LOG_COLUMNS
from lakehouse.embedded.airbyte.connectors.mysql.configuration import Cdc, configuration_of
from lakehouse.embedded.airbyte.connectors.mysql.rows import SNAPSHOT, read_batches, select
from lakehouse.embedded.airbyte.connectors.mysql.sessions import connected
from lakehouse.embedded.airbyte.connectors.mysql.tables import table_for
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch


def read(
    configuration: Mapping[str, Any],
    stream: ConfiguredStream,
    state: Mapping[str, Any] | None,
    *,
    connections: int = 1,  # noqa: ARG001 - the server has no snapshot that two could share without a lock
) -> Iterator[LandingBatch | StreamState]:
    """One stream's batches and, at its end, its state; a source that reads its log offers full reads only."""
    settings = configuration_of(configuration)
    log_based = isinstance(settings.replication_method, Cdc)
    if log_based and stream.incremental:
        problem = f"stream {stream.name}: with replication_method CDC the server reads the log by itself"
        raise ConnectorError(f"{problem}, not stream by stream over the protocol", kind="config_error")
    plain = LOG_COLUMNS.taken_from(stream) if log_based else stream
    with connected(settings) as session:
        table = table_for(session, settings, plain)
        session.query(SNAPSHOT)
        query, arguments, reached = select(session, table, plain, state)
        for batch in read_batches(session, query, arguments, table, plain.columns):
            yield LOG_COLUMNS.added_to(batch, stream.columns, {}) if log_based else batch
    if reached is not None:
        yield StreamState(reached)
