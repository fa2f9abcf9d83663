"""Sources and destinations: stored, validated, checked and discovered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.connectors.registry import S3_DESTINATION_ID, Registry, SourceConnector
from lakehouse.embedded.airbyte.landing.configuration import S3Configuration
from lakehouse.embedded.airbyte.landing.paths import check_path_format
from lakehouse.embedded.airbyte.landing.target import directory_of, landing_target
from lakehouse.embedded.airbyte.messages import Message
from lakehouse.embedded.airbyte.operations.discoveries import discovered_before, remember_discovery
from lakehouse.embedded.airbyte.operations.lookup import found, workspace, write_named
from lakehouse.embedded.airbyte.operations.secrets import unmasked
from lakehouse.embedded.airbyte.protocol import ConnectorError, ConnectorProcess
from lakehouse.embedded.airbyte.requests import CreateActor
from lakehouse.embedded.airbyte.store import Row, Store, new_id

logger = logging.getLogger(__name__)

_USERS = {
    "source": "SELECT name FROM connections WHERE source_id = ?",
    "destination": "SELECT name FROM connections WHERE destination_id = ?",
}

_ANSWER_SECONDS = {"check": 60, "discover": 600}


class Actors:
    """Sources and destinations; `kind` says which."""

    def __init__(self, store: Store, registry: Registry, scratch: Path) -> None:
        self._store = store
        self._registry = registry
        self._scratch = scratch
        self._asked: set[ConnectorProcess] = set()

    def stop(self) -> None:
        """Kill the connectors that still think about an answer."""
        for process in list(self._asked):
            process.kill()

    def get(self, kind: str, actor_id: str) -> Row:
        """The source or destination of an id, or 404."""
        row = self._store.row("SELECT * FROM actors WHERE kind = ? AND id = ?", kind, actor_id)
        return found(row, kind, actor_id)

    def create(self, kind: str, body: CreateActor) -> Row:
        """Store one after validating its configuration; names are unique per kind and workspace."""
        workspace(self._store, body.workspace_id)
        type_ = self._type_of(kind, body)
        actor = {
            "id": new_id(),
            "kind": kind,
            "workspace_id": body.workspace_id,
            "name": body.name,
            "type": type_,
            "configuration": self._checked(kind, type_, body.configuration),
            "created_at": epoch_ms(),
        }
        write_named(self._store, lambda: self._store.insert("actors", actor), kind, body.name)
        return self.get(kind, str(actor["id"]))

    def change(
        self, actor: Row, name: str | None, configuration: Mapping[str, Any] | None, *, merge: bool
    ) -> Row:
        """Rename or reconfigure; with `merge` the fields that are not given stay. A masked secret stays."""
        kind: str = actor["kind"]
        values: dict[str, Any] = {} if name is None else {"name": name}
        if configuration is not None:
            given = unmasked(configuration, actor["configuration"])
            meant = {**actor["configuration"], **given} if merge else given
            values["configuration"] = self._checked(kind, actor["type"], meant)
        if values:
            write_named(self._store, lambda: self._store.update("actors", actor["id"], values), kind, name)
        return self.get(kind, actor["id"])

    def delete(self, actor: Row) -> None:
        """Remove one that no connection uses; 409 otherwise."""
        user = self._store.row(_USERS[actor["kind"]], actor["id"])
        if user is not None:
            problem = (
                f"{actor['kind']} {actor['name']} is used by connection {user['name']}; delete that first"
            )
            raise ApiError(409, problem)
        self._store.execute("DELETE FROM actors WHERE id = ?", actor["id"])

    async def release_log(self, source: Row) -> None:
        """Has a source's server keep no more log for what read it; a server that is away is told of in the log."""
        connector = self._registry.source(source["type"])
        try:
            if connector is not None:
                await asyncio.to_thread(connector.release_log, source["configuration"])
        except ConnectorError as error:
            logger.warning("source %s may still keep log for a deleted connection: %s", source["name"], error)

    async def check(self, actor: Row) -> str | None:
        """Try a source's or destination's configuration: what is wrong with it, or None."""
        if actor["kind"] == "destination":
            return await asyncio.to_thread(_try_writing, actor["configuration"])
        try:
            message = await self._ask(actor, "check", "CONNECTION_STATUS")
        except ApiError as error:
            return error.detail
        status = message.connection_status or {}
        if status.get("status") == "SUCCEEDED":
            return None
        return str(status.get("message") or "the check failed")

    async def discover(self, source: Row, *, cached: bool = False) -> list[dict[str, Any]]:
        """Run `discover`; the source's streams. 400 with the connector's reason when it fails.

        With `cached`, what an installed connector found earlier with this configuration will do.
        """
        connector, configuration = self._connector(source["type"]), source["configuration"]
        before = discovered_before(self._store, connector, configuration) if cached else None
        if before is not None:
            return before
        message = await self._ask(source, "discover", "CATALOG")
        streams = list((message.catalog or {}).get("streams") or [])
        remember_discovery(self._store, connector, configuration, streams)
        return streams

    async def _ask(self, source: Row, verb: str, expected: str) -> Message:
        command = self._connector(source["type"]).command

        def run() -> Message:
            files = {"config": source["configuration"]}
            seconds = _ANSWER_SECONDS[verb]
            with ConnectorProcess(command, verb, files, self._scratch, seconds=seconds) as process:
                self._asked.add(process)
                try:
                    answers = [message for message in process.messages() if message.type == expected]
                finally:
                    self._asked.discard(process)
            if not answers:
                raise ConnectorError(f"the connector answered {verb} without a {expected} message")
            return answers[-1]

        try:
            return await asyncio.to_thread(run)
        except ConnectorError as error:
            raise ApiError(400, f"source {source['name']}: {error}") from error

    def _connector(self, type_: str) -> SourceConnector:
        connector = self._registry.source(type_)
        if connector is None:
            raise ApiError(400, f"source type {type_} is not installed on this server")
        return connector

    def _type_of(self, kind: str, body: CreateActor) -> str:
        declared = body.configuration.get(f"{kind}Type")
        if kind == "destination":
            if S3_DESTINATION_ID in (body.definition_id, S3_DESTINATION_ID if declared == "s3" else None):
                return "s3"
            raise ApiError(400, f"destinationType {declared} is not available; this server writes type s3")
        connector = self._registry.by_definition(body.definition_id) if body.definition_id else None
        connector = connector or (self._registry.source(declared) if isinstance(declared, str) else None)
        if connector is None:
            raise ApiError(400, self._registry.why_unavailable(declared or body.definition_id))
        return connector.type

    def _checked(self, kind: str, type_: str, configuration: Mapping[str, Any]) -> dict[str, Any]:
        plain = {name: value for name, value in configuration.items() if name != f"{kind}Type"}
        try:
            if kind == "source":
                self._connector(type_).check_configuration(plain)
            else:
                _check_s3(msgspec.convert(plain, S3Configuration))
        except (msgspec.ValidationError, ConnectorError, ValueError) as error:
            raise ApiError(400, f"{kind} configuration: {error}") from error
        return plain


def _try_writing(configuration: Mapping[str, Any]) -> str | None:
    target, key = (
        landing_target(msgspec.convert(configuration, S3Configuration)),
        f"_airbyte_check_{new_id()}",
    )
    try:
        with target.open(0, key) as file:
            file.write(b"written by a check of this destination")
        target.publish(0, [key])
        target.discard(0, [key])
    except OSError as error:
        return f"cannot write landing files: {error.strerror or error}"
    return None


def _check_s3(configuration: S3Configuration) -> None:
    if configuration.s3_endpoint.startswith("file:"):
        directory_of(configuration.s3_endpoint)
    problem = check_path_format(configuration)
    if problem:
        raise ValueError(problem)
