"""Before a sync reads, the connection follows what became of its source's schema, as far as it is told to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.connectors.registry import SourceConnector
from lakehouse.embedded.airbyte.landing_places import place_conflict
from lakehouse.embedded.airbyte.protocol import ConnectorError, ConnectorProcess
from lakehouse.embedded.airbyte.schema_changes import SchemaChange, followed
from lakehouse.embedded.airbyte.stream_sync import Sync

_DISCOVER_SECONDS = 600


def follow_schema(
    sync: Sync, configuration: Mapping[str, Any], connector: SourceConnector, scratch: Path
) -> Sync:
    """The sync with the catalogue it is to read by; changes are kept in `schema_changes` and logged.

    Raises ConnectorError when a stream, a primary key or a cursor is gone, and when the connection is to be
    disabled by a change, which it then is.
    """
    behavior = sync.connection["schema_updates"]
    if behavior == "ignore":
        return sync
    discovered = _discover(sync, configuration, connector, scratch)
    catalog, changes = followed(
        sync.connection["catalog"], discovered, new_streams=behavior == "propagate_fully"
    )
    if not changes:
        return sync
    for change in changes:
        sync.log("WARN", f"the source's schema changed: {change}")
    if behavior == "disable_connection":
        _keep(sync, changes, {"status": "inactive"})
        listed = "; ".join(str(change) for change in changes)
        raise ConnectorError(
            f"the source's schema changed ({listed}) and the connection is inactive now, as it asks for;"
            " give its configurations anew and set its status to active",
            kind="config_error",
        )
    connection = {**sync.connection, "catalog": catalog}
    problem = place_conflict(sync.store, connection)
    if problem is not None:
        raise ConnectorError(problem, kind="config_error")
    _keep(sync, changes, {"catalog": catalog})
    return replace(sync, connection=connection)


def _discover(
    sync: Sync, configuration: Mapping[str, Any], connector: SourceConnector, scratch: Path
) -> list[dict[str, Any]]:
    """The source's streams; a source of ours is asked in this process, which saves the start of another."""
    source = connector.in_process
    if source is not None:
        return source.discover(configuration)
    files = {"config": configuration}
    with ConnectorProcess(
        connector.command, "discover", files, scratch, sync.log, seconds=_DISCOVER_SECONDS
    ) as process:
        catalogs = [message.catalog for message in process.messages() if message.catalog]
    if not catalogs:
        raise ConnectorError("the connector answered discover without a CATALOG message")
    return list(catalogs[-1].get("streams") or [])


def _keep(sync: Sync, changes: list[SchemaChange], values: Mapping[str, Any]) -> None:
    now, connection_id = epoch_ms(), sync.connection["id"]
    with sync.store.transaction():
        sync.store.require_running(sync.job_id)
        sync.store.update("connections", connection_id, {**values, "updated_at": now})
        for change in changes:
            row = {
                "connection_id": connection_id,
                "job_id": sync.job_id,
                "namespace": change.namespace,
                "stream": change.stream,
                "column_name": change.column,
                "kind": change.kind,
                "before": None if change.before is None else json.dumps(change.before),
                "after": None if change.after is None else json.dumps(change.after),
                "changed_at": now,
            }
            sync.store.insert("schema_changes", row)
