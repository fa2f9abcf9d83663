"""Connections on the public API."""

from __future__ import annotations

from typing import Any

from lakehouse.embedded.airbyte.api.filters import OLDEST_FIRST, workspaces
from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.api.views import public_connection
from lakehouse.embedded.airbyte.operations.requested_schedules import of_public_api
from lakehouse.embedded.airbyte.requests import CreateConnection, PatchConnection
from lakehouse.embedded.airbyte.schedules import schedule_of
from lakehouse.embedded.airbyte.service import Service
from lakehouse.embedded.airbyte.store import Row


def operations(service: Service) -> list[Operation]:
    """The calls for connections."""
    api, one = _Connections(service), "/connections/{connectionId}"
    filters = ("workspaceIds", "includeDeleted", "tagIds")
    return [
        Operation("GET", "/connections", api.list, "List connections", query=filters, paged=True),
        Operation("POST", "/connections", api.create, "Create a connection", body=CreateConnection),
        Operation("GET", one, api.get, "Get a connection"),
        Operation("PATCH", one, api.patch, "Change fields of a connection", body=PatchConnection),
        Operation("DELETE", one, api.delete, "Delete a connection with its state; landed files stay"),
    ]


class _Connections:
    def __init__(self, service: Service) -> None:
        self._service = service

    def _connection(self, call: Call) -> Row:
        return self._service.connections.get(call.path["connectionId"])

    def _shown(self, row: Row) -> dict[str, Any]:
        return public_connection(row, schedule_of(self._service.store, row["id"]))

    async def list(self, call: Call) -> Any:
        query = call.query
        conditions = workspaces(query)
        if query.values("tagIds"):
            conditions.append(("?", 0))  # nothing has a tag here
        rows = self._service.store.page("connections", conditions, OLDEST_FIRST, query.limit, query.offset)
        return query.page([self._shown(row) for row in rows])

    async def create(self, call: Call) -> Any:
        given: CreateConnection = call.body
        schedule = of_public_api(given.schedule)
        return self._shown(await self._service.connections.create(given, schedule))

    async def get(self, call: Call) -> Any:
        return self._shown(self._connection(call))

    async def patch(self, call: Call) -> Any:
        given: PatchConnection = call.body
        connection, schedule = self._connection(call), of_public_api(given.schedule)
        return self._shown(await self._service.connections.change(connection, given, schedule))

    async def delete(self, call: Call) -> None:
        connection = self._connection(call)
        await self._service.jobs.cancel_latest(connection)
        await self._service.connections.delete(connection)
