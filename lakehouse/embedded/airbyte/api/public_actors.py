"""Sources and destinations on the public API."""

from __future__ import annotations

from typing import Any

from lakehouse.embedded.airbyte.api.filters import OLDEST_FIRST, workspaces
from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.api.views import public_actor
from lakehouse.embedded.airbyte.operations.lookup import workspace
from lakehouse.embedded.airbyte.requests import CreateActor, PatchActor, PutActor
from lakehouse.embedded.airbyte.service import Service
from lakehouse.embedded.airbyte.store import Row


def operations(service: Service, kind: str) -> list[Operation]:
    """The calls for sources or destinations, as `kind` says."""
    api, one = _Actors(service, kind), f"/{kind}s/{{{kind}Id}}"
    secrets = ("includeSecretCoordinates",) if kind == "source" else ()
    return [
        Operation(
            "GET",
            f"/{kind}s",
            api.list,
            f"List {kind}s",
            query=("workspaceIds", "includeDeleted"),
            paged=True,
        ),
        Operation("POST", f"/{kind}s", api.create, f"Create a {kind}", body=CreateActor),
        Operation("GET", one, api.get, f"Get a {kind}; secrets are masked", query=secrets),
        Operation("PATCH", one, api.patch, f"Change fields of a {kind}", body=PatchActor),
        Operation("PUT", one, api.put, f"Replace a {kind}'s configuration", body=PutActor),
        Operation("DELETE", one, api.delete, f"Delete a {kind} that no connection uses"),
    ]


class _Actors:
    def __init__(self, service: Service, kind: str) -> None:
        self._service = service
        self._kind = kind

    def _actor(self, call: Call) -> Row:
        return self._service.actors.get(self._kind, call.path[f"{self._kind}Id"])

    def _shown(self, row: Row) -> dict[str, Any]:
        return public_actor(row, self._service.registry)

    async def list(self, call: Call) -> Any:
        conditions = [("kind = ?", self._kind), *workspaces(call.query)]
        rows = self._service.store.page(
            "actors", conditions, OLDEST_FIRST, call.query.limit, call.query.offset
        )
        return call.query.page([self._shown(row) for row in rows])

    async def create(self, call: Call) -> Any:
        return self._shown(self._service.actors.create(self._kind, call.body))

    async def get(self, call: Call) -> Any:
        return self._shown(self._actor(call))

    async def patch(self, call: Call) -> Any:
        given: PatchActor = call.body
        if given.workspace_id is not None:
            workspace(self._service.store, given.workspace_id)
        actor = self._actor(call)
        return self._shown(self._service.actors.change(actor, given.name, given.configuration, merge=True))

    async def put(self, call: Call) -> Any:
        given: PutActor = call.body
        actor = self._actor(call)
        return self._shown(self._service.actors.change(actor, given.name, given.configuration, merge=False))

    async def delete(self, call: Call) -> None:
        self._service.actors.delete(self._actor(call))
