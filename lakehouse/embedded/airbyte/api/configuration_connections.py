"""Connections on the configuration API, and the jobs that are started through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lakehouse.embedded.airbyte import configuration_requests as shapes
from lakehouse.embedded.airbyte.api.job_views import config_job_info
from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.api.views import config_connection
from lakehouse.embedded.airbyte.operations.configured import creation, patch
from lakehouse.embedded.airbyte.operations.jobs import RefreshMode
from lakehouse.embedded.airbyte.operations.lookup import workspace
from lakehouse.embedded.airbyte.operations.requested_schedules import of_configuration_api
from lakehouse.embedded.airbyte.refreshes import Place
from lakehouse.embedded.airbyte.schedules import schedule_of
from lakehouse.embedded.airbyte.service import Service
from lakehouse.embedded.airbyte.store import Row

_REFRESH_MODES: dict[str, RefreshMode] = {"Truncate": "truncate", "Merge": "merge"}


def operations(service: Service) -> list[Operation]:
    """The calls for connections."""
    api, one, several = _Connections(service), shapes.ConnectionId, shapes.ConnectionStreams
    path = "/connections"
    return [
        Operation("POST", f"{path}/list", api.list, "List connections", body=shapes.WorkspaceId),
        Operation("POST", f"{path}/get", api.get, "Get a connection with its catalogue", body=one),
        Operation(
            "POST", f"{path}/create", api.create, "Create a connection",
            body=shapes.CreateConfiguredConnection,
        ),
        Operation(
            "POST", f"{path}/update", api.update, "Change what is given", body=shapes.UpdateConnection
        ),
        Operation("POST", f"{path}/delete", api.delete, "Delete a connection; landed files stay", body=one),
        Operation("POST", f"{path}/sync", api.sync, "Start a sync; 409 while a job runs", body=one),
        Operation(
            "POST", f"{path}/refresh", api.refresh, "Read streams from their beginning",
            body=shapes.RefreshConnection,
        ),
        Operation("POST", f"{path}/clear", api.clear, "Remove landed data and state", body=one),
        Operation("POST", f"{path}/clear/stream", api.clear, "The same of some streams", body=several),
        Operation("POST", f"{path}/reset", api.reset, "The older name of clear", body=one),
        Operation("POST", f"{path}/reset/stream", api.reset, "The same of some streams", body=several),
    ]  # fmt: skip


class _Connections:
    def __init__(self, service: Service) -> None:
        self._service = service

    def _connection(self, call: Call) -> Row:
        return self._service.connections.get(call.body.connection_id)

    def _shown(self, row: Row) -> dict[str, Any]:
        return config_connection(row, schedule_of(self._service.store, row["id"]))

    async def list(self, call: Call) -> Any:
        workspace(self._service.store, call.body.workspace_id)
        sql = "SELECT * FROM connections WHERE workspace_id = ? ORDER BY created_at, id"
        rows = self._service.store.rows(sql, call.body.workspace_id)
        return {"connections": [self._shown(row) for row in rows]}

    async def get(self, call: Call) -> Any:
        return self._shown(self._connection(call))

    async def create(self, call: Call) -> Any:
        schedule = of_configuration_api(call.body)
        return self._shown(await self._service.connections.create(creation(call.body), schedule))

    async def update(self, call: Call) -> Any:
        connection, schedule = self._connection(call), of_configuration_api(call.body)
        return self._shown(await self._service.connections.change(connection, patch(call.body), schedule))

    async def delete(self, call: Call) -> None:
        connection = self._connection(call)
        await self._service.jobs.cancel_latest(connection)
        await self._service.connections.delete(connection)

    async def sync(self, call: Call) -> Any:
        return self._job(await self._service.jobs.start(self._connection(call)))

    async def refresh(self, call: Call) -> Any:
        given: shapes.RefreshConnection = call.body
        places, mode = _places(given.streams), _REFRESH_MODES[given.refresh_mode]
        return self._job(await self._service.jobs.start(self._connection(call), "refresh", places, mode=mode))

    async def clear(self, call: Call) -> Any:
        return await self._cleared(call, "clear")

    async def reset(self, call: Call) -> Any:
        return await self._cleared(call, "reset")

    async def _cleared(self, call: Call, kind: str) -> Any:
        places = _places(getattr(call.body, "streams", None))
        return self._job(await self._service.jobs.start(self._connection(call), kind, places))

    def _job(self, row: Row) -> dict[str, Any]:
        jobs = self._service.jobs
        return config_job_info(row, jobs.attempts(row), jobs.log_lines(row))


def _places(streams: Sequence[shapes.StreamName] | None) -> list[Place] | None:
    if streams is None:
        return None
    return [(stream.stream_namespace or "", stream.stream_name) for stream in streams]
