"""Connections: which streams of a source land where, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.catalog import CatalogError, sync_catalog
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.landing_places import place_conflict
from lakehouse.embedded.airbyte.operations.actors import Actors
from lakehouse.embedded.airbyte.operations.lookup import found, write_named
from lakehouse.embedded.airbyte.operations.requested_schedules import Asked
from lakehouse.embedded.airbyte.requests import CreateConnection, PatchConnection, StreamConfigurations
from lakehouse.embedded.airbyte.schedules import set_schedule
from lakehouse.embedded.airbyte.store import Row, Store, new_id


class Connections:
    """Connections of sources with destinations; names are unique in the workspace."""

    def __init__(self, store: Store, actors: Actors) -> None:
        self._store = store
        self._actors = actors

    def get(self, connection_id: str) -> Row:
        """The connection of an id, or 404."""
        row = self._store.row("SELECT * FROM connections WHERE id = ?", connection_id)
        return found(row, "connection", connection_id)

    async def create(self, body: CreateConnection, schedule: Asked) -> Row:
        """Discover the source, apply the selection, store the connection."""
        source = self._actors.get("source", body.source_id)
        destination = self._actors.get("destination", body.destination_id)
        if body.workspace_id not in (None, source["workspace_id"]):
            problem = f"workspaceId {body.workspace_id}: the source is in workspace {source['workspace_id']}"
            raise ApiError(400, problem)
        name = body.name or f"{source['name']} → {destination['name']}"
        self._require_free_name(source["workspace_id"], name)
        now = epoch_ms()
        connection: dict[str, Any] = {
            "id": new_id(),
            "workspace_id": source["workspace_id"],
            "name": name,
            "source_id": source["id"],
            "destination_id": destination["id"],
            "status": body.status,
            "namespace_definition": body.namespace_definition,
            "namespace_format": body.namespace_format or "",
            "prefix": body.prefix,
            "schema_updates": body.non_breaking_schema_updates_behavior,
            "catalog": await self._catalog(source, body.configurations),
            "created_at": now,
            "updated_at": now,
        }
        self._check_landing_names(connection)

        def write() -> None:
            self._store.insert("connections", connection)
            self._schedule(connection["id"], schedule)

        write_named(self._store, write, "connection", name)
        return self.get(connection["id"])

    async def change(self, connection: Row, body: PatchConnection, schedule: Asked) -> Row:
        """Change what is given; `configurations` takes the source's schema as it is now."""
        for kind, asked in (("source", body.source_id), ("destination", body.destination_id)):
            if asked not in (None, connection[f"{kind}_id"]):
                raise ApiError(400, f"{kind}Id of a connection cannot change; create another connection")
        given = {
            "name": body.name,
            "namespace_definition": body.namespace_definition,
            "namespace_format": body.namespace_format,
            "prefix": body.prefix,
            "status": body.status,
            "schema_updates": body.non_breaking_schema_updates_behavior,
        }
        values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if body.configurations is not None:
            source = self._actors.get("source", connection["source_id"])
            values["catalog"] = await self._catalog(source, body.configurations)
        self._check_landing_names({**connection, **values})
        values["updated_at"] = epoch_ms()

        def write() -> None:
            self._store.update("connections", connection["id"], values)
            self._schedule(connection["id"], schedule)

        write_named(self._store, write, "connection", body.name)
        return self.get(connection["id"])

    async def delete(self, connection: Row) -> None:
        """Remove a connection with its state; landed files stay.

        What the source's server keeps of its log for the last connection that read it would fill its disk: it
        is let go.
        """
        read_log = self._store.log_state(connection["id"]) is not None
        self._store.execute("DELETE FROM connections WHERE id = ?", connection["id"])
        others = self._store.row("SELECT 1 FROM connections WHERE source_id = ?", connection["source_id"])
        if read_log and others is None:
            await self._actors.release_log(self._actors.get("source", connection["source_id"]))

    def _schedule(self, connection_id: str, asked: Asked) -> None:
        if asked is not None:
            set_schedule(self._store, connection_id, None if asked == "manual" else asked)

    def _require_free_name(self, workspace_id: str, name: str) -> None:
        sql = "SELECT 1 FROM connections WHERE workspace_id = ? AND name = ?"
        if self._store.row(sql, workspace_id, name) is not None:
            raise ApiError(409, f"there is a connection named {name} in this workspace already")

    async def _catalog(self, source: Row, wanted: StreamConfigurations | None) -> dict[str, Any]:
        try:
            return sync_catalog(
                await self._actors.discover(source), None if wanted is None else wanted.streams
            )
        except CatalogError as error:
            raise ApiError(400, str(error)) from error

    def _check_landing_names(self, connection: Mapping[str, Any]) -> None:
        if connection["namespace_definition"] == "custom_format" and not connection["namespace_format"]:
            raise ApiError(400, "namespaceDefinition custom_format needs namespaceFormat")
        problem = place_conflict(self._store, connection)
        if problem is not None:
            raise ApiError(409, problem)
