"""What both APIs do: sources, destinations, connections and jobs of one workspace."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from lakehouse.embedded.airbyte.api.problems import ApiProblem
from lakehouse.embedded.airbyte.catalog import CatalogError, configured_streams, sync_catalog
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.connectors.registry import S3_DESTINATION_ID, Registry, SourceConnector
from lakehouse.embedded.airbyte.landing.configuration import S3Configuration
from lakehouse.embedded.airbyte.landing.paths import check_path_format
from lakehouse.embedded.airbyte.landing.target import directory_of
from lakehouse.embedded.airbyte.protocol import ConnectorError, ConnectorProcess, Message
from lakehouse.embedded.airbyte.requests import (
    CreateActor,
    CreateConnection,
    PatchConnection,
    StreamConfigurations,
)
from lakehouse.embedded.airbyte.scheduler import Scheduler
from lakehouse.embedded.airbyte.store import Row, Store, new_id
from lakehouse.embedded.airbyte.stream_sync import landing_names

MASK = "**********"


class Service:
    """The operations of the server; every refusal is an ApiProblem."""

    def __init__(self, store: Store, scheduler: Scheduler, registry: Registry, workspace_id: str) -> None:
        self.store = store
        self.scheduler = scheduler
        self.registry = registry
        self.workspace_id = workspace_id

    # -- finding --------------------------------------------------------------------------------------------------

    def workspace(self, workspace_id: str) -> Row:
        """The workspace of an id, or 404."""
        return self._found(
            self.store.row("SELECT * FROM workspaces WHERE id = ?", workspace_id), "workspace", workspace_id
        )

    def actor(self, kind: str, actor_id: str) -> Row:
        """The source or destination of an id, or 404."""
        row = self.store.row("SELECT * FROM actors WHERE kind = ? AND id = ?", kind, actor_id)
        return self._found(row, kind, actor_id)

    def connection(self, connection_id: str) -> Row:
        """The connection of an id, or 404."""
        row = self.store.row("SELECT * FROM connections WHERE id = ?", connection_id)
        return self._found(row, "connection", connection_id)

    def job(self, job_id: int) -> Row:
        """The job of an id, or 404."""
        return self._found(self.store.job(job_id), "job", job_id)

    def job_streams(self, job_id: int) -> list[Row]:
        """Figures of a job's streams, with how many files each has committed."""
        return self.store.rows(
            "SELECT s.*, (SELECT count(*) FROM landing_files f WHERE f.job_id = s.job_id AND f.stream = s.name"
            " AND f.namespace = s.namespace AND f.committed = 1) AS files"
            " FROM job_streams s WHERE s.job_id = ? ORDER BY s.rowid",
            job_id,
        )

    @staticmethod
    def _found(row: Row | None, what: str, key: object) -> Row:
        if row is None:
            raise ApiProblem(404, f"there is no {what} {key}")
        return row

    # -- sources and destinations -----------------------------------------------------------------------------------

    def create_actor(self, kind: str, body: CreateActor) -> Row:
        """Stores a source or destination after validating its configuration; names are unique per kind."""
        self.workspace(body.workspaceId)
        type_ = self._type_of(kind, body)
        actor = {
            "id": new_id(), "kind": kind, "workspace_id": body.workspaceId, "name": body.name, "type": type_,
            "configuration": self._checked_configuration(kind, type_, body.configuration), "created_at": epoch_ms(),
        }  # fmt: skip
        self._unique(lambda: self.store.insert("actors", actor), kind, body.name)
        return self.actor(kind, str(actor["id"]))

    def change_actor(
        self,
        kind: str,
        actor_id: str,
        name: str | None,
        configuration: Mapping[str, Any] | None,
        *,
        merge: bool,
    ) -> Row:
        """Renames or reconfigures; a masked secret keeps its stored value."""
        actor = self.actor(kind, actor_id)
        values: dict[str, Any] = {} if name is None else {"name": name}
        if configuration is not None:
            given = _unmasked(configuration, actor["configuration"])
            merged = {**actor["configuration"], **given} if merge else given
            values["configuration"] = self._checked_configuration(kind, actor["type"], merged)
        if values:
            self._unique(lambda: self.store.update("actors", actor_id, values), kind, name)
        return self.actor(kind, actor_id)

    def delete_actor(self, kind: str, actor_id: str) -> None:
        """Removes a source or destination that no connection uses; 409 otherwise."""
        self.actor(kind, actor_id)
        user = self.store.row(f"SELECT name FROM connections WHERE {kind}_id = ?", actor_id)
        if user is not None:
            raise ApiProblem(
                409, f"{kind} {actor_id} is used by connection {user['name']}; delete that first"
            )
        self.store.execute("DELETE FROM actors WHERE id = ?", actor_id)

    def connector_of(self, source: Row) -> SourceConnector:
        """The connector of a stored source, or 400 when it is not installed any more."""
        connector = self.registry.source(source["type"])
        if connector is None:
            raise ApiProblem(400, f"source type {source['type']} is not installed on this server")
        return connector

    def _type_of(self, kind: str, body: CreateActor) -> str:
        declared = body.configuration.get(f"{kind}Type")
        if kind == "destination":
            if body.definitionId == S3_DESTINATION_ID or declared == "s3":
                return "s3"
            raise ApiProblem(400, f"destinationType {declared} is not available; this server writes type s3")
        connector = self.registry.by_definition(body.definitionId) if body.definitionId else None
        connector = connector or (self.registry.source(declared) if isinstance(declared, str) else None)
        if connector is None:
            types = ", ".join(self.registry.types)
            raise ApiProblem(400, f"sourceType {declared} is not available; this server has {types}")
        return connector.type

    def _checked_configuration(
        self, kind: str, type_: str, configuration: Mapping[str, Any]
    ) -> dict[str, Any]:
        plain = {name: value for name, value in configuration.items() if name != f"{kind}Type"}
        try:
            if kind == "source":
                connector = self.registry.source(type_)
                assert connector is not None
                connector.check_configuration(plain)
            else:
                self._check_s3(msgspec.convert(plain, S3Configuration))
        except (msgspec.ValidationError, ConnectorError, ValueError) as error:
            raise ApiProblem(400, f"{kind} configuration: {error}") from error
        return plain

    @staticmethod
    def _check_s3(configuration: S3Configuration) -> None:
        if configuration.s3_endpoint.startswith("file:"):
            directory_of(configuration.s3_endpoint)
        problem = check_path_format(configuration)
        if problem:
            raise ValueError(problem)

    def _unique(self, write: Any, kind: str, name: str | None) -> None:
        try:
            with self.store.transaction():
                write()
        except sqlite3.IntegrityError as error:
            if "UNIQUE" not in str(error):
                raise
            raise ApiProblem(409, f"there is a {kind} named {name} in this workspace already") from error

    # -- asking sources ---------------------------------------------------------------------------------------------

    async def check_source(self, source: Row) -> str | None:
        """Runs `check`; the connector's reason when it fails, else None."""
        message = await self._ask(source, "check", "CONNECTION_STATUS")
        status = message.connectionStatus or {}
        return (
            None if status.get("status") == "SUCCEEDED" else str(status.get("message") or "the check failed")
        )

    async def discover(self, source: Row) -> list[dict[str, Any]]:
        """Runs `discover`; the source's streams. 400 with the connector's reason when it fails."""
        message = await self._ask(source, "discover", "CATALOG")
        return list((message.catalog or {}).get("streams") or [])

    async def _ask(self, source: Row, verb: str, expected: str) -> Message:
        command = self.connector_of(source).command

        def run() -> Message:
            with ConnectorProcess(
                command, verb, {"config": source["configuration"]}, lambda _l, _t: None
            ) as process:
                answers = [message for message in process.messages() if message.type == expected]
            if not answers:
                raise ConnectorError(f"the connector answered {verb} without a {expected} message")
            return answers[-1]

        try:
            return await asyncio.to_thread(run)
        except ConnectorError as error:
            raise ApiProblem(400, f"source {source['name']}: {error}") from error

    # -- connections ------------------------------------------------------------------------------------------------

    async def create_connection(self, body: CreateConnection) -> Row:
        """Discovers the source, applies the selection and stores the connection; names are unique."""
        source = self.actor("source", body.sourceId)
        destination = self.actor("destination", body.destinationId)
        if body.workspaceId not in (None, source["workspace_id"]):
            raise ApiProblem(
                400, f"workspaceId {body.workspaceId}: the source is in {source['workspace_id']}"
            )
        name = body.name or f"{source['name']} → {destination['name']}"
        self._free_connection_name(source["workspace_id"], name)
        now = epoch_ms()
        connection: dict[str, Any] = {
            "id": new_id(), "workspace_id": source["workspace_id"], "name": name, "source_id": source["id"],
            "destination_id": destination["id"], "status": body.status,
            "namespace_definition": body.namespaceDefinition, "namespace_format": body.namespaceFormat or "",
            "prefix": body.prefix, "schema_updates": body.nonBreakingSchemaUpdatesBehavior,
            "catalog": await self._catalog(source, body.configurations), "created_at": now, "updated_at": now,
        }  # fmt: skip
        self._check_landing_names(connection)
        self._unique(lambda: self.store.insert("connections", connection), "connection", name)
        return self.connection(connection["id"])

    async def change_connection(self, connection_id: str, body: PatchConnection) -> Row:
        """Changes what is given; `configurations` takes the source's schema as it is now."""
        connection = self.connection(connection_id)
        given = {
            "name": body.name, "namespace_definition": body.namespaceDefinition,
            "namespace_format": body.namespaceFormat, "prefix": body.prefix, "status": body.status,
            "schema_updates": body.nonBreakingSchemaUpdatesBehavior,
        }  # fmt: skip
        values = {name: value for name, value in given.items() if value is not None}
        if body.configurations is not None:
            source = self.actor("source", connection["source_id"])
            values["catalog"] = await self._catalog(source, body.configurations)
        self._check_landing_names({**connection, **values})
        values["updated_at"] = epoch_ms()
        self._unique(lambda: self.store.update("connections", connection_id, values), "connection", body.name)
        return self.connection(connection_id)

    async def delete_connection(self, connection_id: str) -> None:
        """Cancels a running job and removes the connection with its state; landed files stay."""
        self.connection(connection_id)
        for job in self.store.rows(
            "SELECT id FROM jobs WHERE connection_id = ? AND status IN ('pending', 'running')", connection_id
        ):
            await self.scheduler.cancel(job["id"])
        self.store.execute("DELETE FROM connections WHERE id = ?", connection_id)

    def _free_connection_name(self, workspace_id: str, name: str) -> None:
        sql = "SELECT 1 FROM connections WHERE workspace_id = ? AND name = ?"
        if self.store.row(sql, workspace_id, name) is not None:
            raise ApiProblem(409, f"there is a connection named {name} in this workspace already")

    async def _catalog(self, source: Row, wanted: StreamConfigurations | None) -> dict[str, Any]:
        try:
            return sync_catalog(await self.discover(source), None if wanted is None else wanted.streams)
        except CatalogError as error:
            raise ApiProblem(400, str(error)) from error

    @staticmethod
    def _check_landing_names(connection: Mapping[str, Any]) -> None:
        if connection["namespace_definition"] == "custom_format" and not connection["namespace_format"]:
            raise ApiProblem(400, "namespaceDefinition custom_format needs namespaceFormat")
        seen: set[tuple[str, str]] = set()
        for stream in configured_streams(connection["catalog"]):
            landed = landing_names(connection, stream)
            if landed in seen:
                raise ApiProblem(
                    400, f"two streams would land as {'/'.join(landed)}; use ${{SOURCE_NAMESPACE}}"
                )
            seen.add(landed)

    # -- jobs -------------------------------------------------------------------------------------------------------

    async def start_sync(self, connection_id: str) -> Row:
        """Queues a sync; 409 while another job of the connection has not ended."""
        connection = self.connection(connection_id)
        if connection["status"] != "active":
            raise ApiProblem(400, f"connection {connection['name']} is inactive; set its status to active")
        now = epoch_ms()
        job = {
            "connection_id": connection_id, "workspace_id": connection["workspace_id"], "type": "sync",
            "status": "pending", "created_at": now, "updated_at": now,
        }  # fmt: skip
        try:
            job_id = self.store.insert("jobs", job)
        except sqlite3.IntegrityError as error:
            raise ApiProblem(409, f"a sync is already running for connection {connection['name']}") from error
        await self.scheduler.dispatch()
        return self.job(job_id)

    async def cancel(self, job_id: int) -> Row:
        """Cancels a job; one that has ended already stays as it is."""
        self.job(job_id)
        await self.scheduler.cancel(job_id)
        return self.job(job_id)


def masked(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration for reading: every secret as asterisks."""
    return {
        name: masked(value) if isinstance(value, dict) else MASK if name in _SECRETS and value else value
        for name, value in configuration.items()
    }


def _unmasked(given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: stored[name]
        if value == MASK and name in stored
        else _unmasked(value, stored.get(name) or {})
        if isinstance(value, dict)
        else value
        for name, value in given.items()
    }


_SECRETS = frozenset(
    {
        "password",
        "secret_access_key",
        "access_key_id",
        "api_key",
        "token",
        "access_token",
        "client_secret",
        "refresh_token",
    }
)
