"""The state that connections have reached, on the configuration API."""

from __future__ import annotations

from typing import Any

from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.configuration_requests import ConnectionId, UpdateState
from lakehouse.embedded.airbyte.operations.states import change_state, state_of
from lakehouse.embedded.airbyte.service import Service


def operations(service: Service) -> list[Operation]:
    """The calls for states."""
    api = _States(service)
    return [
        Operation("POST", "/state/get", api.get, "Get a connection's state", body=ConnectionId),
        Operation("POST", "/state/create_or_update", api.put, "Set a connection's state", body=UpdateState),
        Operation(
            "POST", "/state/create_or_update_safe", api.put_safely, "The same; 423 while a job runs",
            body=UpdateState,
        ),
    ]  # fmt: skip


class _States:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def get(self, call: Call) -> Any:
        return state_of(self._service.store, self._service.connections.get(call.body.connection_id))

    async def put(self, call: Call) -> Any:
        given: UpdateState = call.body
        connection = self._service.connections.get(given.connection_id)
        change_state(self._service.store, connection, given.connection_state)
        return state_of(self._service.store, connection)

    async def put_safely(self, call: Call) -> Any:
        connection = self._service.connections.get(call.body.connection_id)
        if self._service.jobs.is_open(connection):
            raise ApiError(
                423, f"a job of connection {connection['name']} runs; cancel it, or wait for its end"
            )
        return await self.put(call)
