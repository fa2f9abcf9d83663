"""Sources and destinations on the configuration API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakehouse.embedded.airbyte import configuration_requests as shapes
from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.api.views import config_actor
from lakehouse.embedded.airbyte.catalog import api_stream
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.operations.lookup import workspace
from lakehouse.embedded.airbyte.requests import CreateActor
from lakehouse.embedded.airbyte.service import Service
from lakehouse.embedded.airbyte.store import Row, new_id

_SHAPES = {
    "source": (shapes.SourceId, shapes.CreateSource, shapes.UpdateSource),
    "destination": (shapes.DestinationId, shapes.CreateDestination, shapes.UpdateDestination),
}


def operations(service: Service, kind: str) -> list[Operation]:
    """The calls for sources or destinations, as `kind` says."""
    api, (one, create, update), path = _Actors(service, kind), _SHAPES[kind], f"/{kind}s"
    calls = [
        Operation("POST", f"{path}/list", api.list, f"List {kind}s", body=shapes.WorkspaceId),
        Operation("POST", f"{path}/get", api.get, f"Get a {kind}; secrets are masked", body=one),
        Operation("POST", f"{path}/create", api.create, f"Create a {kind}", body=create),
        Operation("POST", f"{path}/update", api.update, f"Replace a {kind}'s configuration", body=update),
        Operation("POST", f"{path}/delete", api.delete, f"Delete a {kind} that no connection uses", body=one),
        Operation("POST", f"{path}/check_connection", api.check, f"Try a {kind}'s configuration", body=one),
    ]
    if kind == "source":
        discover = Operation(
            "POST", f"{path}/discover_schema", api.discover, "Ask a source for its streams",
            body=shapes.DiscoverSchema,
        )  # fmt: skip
        calls.append(discover)
    return calls


class _Actors:
    def __init__(self, service: Service, kind: str) -> None:
        self._service = service
        self._kind = kind

    def _actor(self, call: Call) -> Row:
        return self._service.actors.get(self._kind, getattr(call.body, f"{self._kind}_id"))

    def _shown(self, row: Row) -> dict[str, Any]:
        return config_actor(row, self._service.registry)

    async def list(self, call: Call) -> Any:
        workspace(self._service.store, call.body.workspace_id)
        sql = "SELECT * FROM actors WHERE kind = ? AND workspace_id = ? ORDER BY created_at, id"
        rows = self._service.store.rows(sql, self._kind, call.body.workspace_id)
        return {f"{self._kind}s": [self._shown(row) for row in rows]}

    async def get(self, call: Call) -> Any:
        return self._shown(self._actor(call))

    async def create(self, call: Call) -> Any:
        given = call.body
        asked = CreateActor(
            name=given.name,
            workspace_id=given.workspace_id,
            configuration=given.connection_configuration,
            definition_id=getattr(given, f"{self._kind}_definition_id"),
        )
        return self._shown(self._service.actors.create(self._kind, asked))

    async def update(self, call: Call) -> Any:
        given, actor = call.body, self._actor(call)
        return self._shown(
            self._service.actors.change(actor, given.name, given.connection_configuration, merge=False)
        )

    async def delete(self, call: Call) -> None:
        self._service.actors.delete(self._actor(call))

    async def check(self, call: Call) -> Any:
        actor, started = self._actor(call), epoch_ms()
        problem = await self._service.actors.check(actor)
        answer: dict[str, Any] = {"status": "succeeded" if problem is None else "failed"}
        if problem is not None:
            answer["message"] = problem
        return answer | {"jobInfo": _synchronous(f"check_connection_{self._kind}", actor["id"], started)}

    async def discover(self, call: Call) -> Any:
        source, started = self._actor(call), epoch_ms()
        streams = await self._service.actors.discover(source, cached=not call.body.disable_cache)
        entries = [{"stream": api_stream(stream), "config": _suggested(stream)} for stream in streams]
        return {
            "catalog": {"streams": entries},
            "catalogId": new_id(),
            "breakingChange": False,
            "jobInfo": _synchronous("discover_schema", source["id"], started),
        }


def _suggested(stream: Mapping[str, Any]) -> dict[str, Any]:
    described = api_stream(stream)
    return {
        "syncMode": "full_refresh",
        "destinationSyncMode": "overwrite",
        "cursorField": described["defaultCursorField"],
        "primaryKey": described["sourceDefinedPrimaryKey"],
        "aliasName": described["name"],
        "selected": True,
    }


def _synchronous(kind: str, actor_id: str, started: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "configType": kind,
        "configId": actor_id,
        "createdAt": started // 1000,
        "endedAt": epoch_ms() // 1000,
        "succeeded": True,
    }
