"""The part of the configuration API that clients use, below /api/v1 (airbyte-platform, config.yaml)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lakehouse.embedded.airbyte.api.reading import body
from lakehouse.embedded.airbyte.api.views import config_connection, config_job, config_workspace
from lakehouse.embedded.airbyte.catalog import api_stream
from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.operations.lookup import workspace
from lakehouse.embedded.airbyte.requests import (
    ConnectionId,
    DiscoverSchema,
    JobId,
    Nothing,
    SourceId,
    WorkspaceId,
)
from lakehouse.embedded.airbyte.schedules import schedule_of
from lakehouse.embedded.airbyte.service import Service
from lakehouse.embedded.airbyte.store import Row, new_id

PREFIX = "/api/v1"


def routes(service: Service) -> list[Route]:
    """Every route of the configuration API that is served."""
    api = _ConfigurationApi(service)
    table: list[tuple[str, str, Any]] = [
        ("GET", "/health", api.health),
        ("POST", "/workspaces/list", api.list_workspaces),
        ("POST", "/workspaces/get", api.get_workspace),
        ("POST", "/connections/get", api.get_connection),
        ("POST", "/connections/sync", api.sync),
        ("POST", "/jobs/get", api.get_job),
        ("POST", "/jobs/cancel", api.cancel_job),
        ("POST", "/sources/check_connection", api.check_source),
        ("POST", "/sources/discover_schema", api.discover),
    ]
    return [Route(PREFIX + path, handler, methods=[method]) for method, path, handler in table]


class _ConfigurationApi:
    """Handlers; every call but health is a POST with a JSON body."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, _: Request) -> Response:
        return JSONResponse({"available": True})

    async def list_workspaces(self, request: Request) -> Response:
        await body(request, Nothing)
        rows = self._service.store.rows("SELECT * FROM workspaces ORDER BY created_at, id")
        return JSONResponse({"workspaces": [config_workspace(row) for row in rows]})

    async def get_workspace(self, request: Request) -> Response:
        given = await body(request, WorkspaceId)
        return JSONResponse(config_workspace(workspace(self._service.store, given.workspace_id)))

    async def get_connection(self, request: Request) -> Response:
        given = await body(request, ConnectionId)
        row = self._service.connections.get(given.connection_id)
        return JSONResponse(config_connection(row, schedule_of(self._service.store, row["id"])))

    async def sync(self, request: Request) -> Response:
        given = await body(request, ConnectionId)
        return self._job(await self._service.jobs.start(self._service.connections.get(given.connection_id)))

    async def get_job(self, request: Request) -> Response:
        given = await body(request, JobId)
        return self._job(self._service.jobs.get(given.id))

    async def cancel_job(self, request: Request) -> Response:
        given = await body(request, JobId)
        return self._job(await self._service.jobs.cancel(self._service.jobs.get(given.id)))

    async def check_source(self, request: Request) -> Response:
        given = await body(request, SourceId)
        started = epoch_ms()
        problem = await self._service.actors.check_source(self._service.actors.get("source", given.source_id))
        answer: dict[str, Any] = {"status": "succeeded" if problem is None else "failed"}
        if problem is not None:
            answer["message"] = problem
        return JSONResponse(
            answer | {"jobInfo": _synchronous("check_connection_source", given.source_id, started)}
        )

    async def discover(self, request: Request) -> Response:
        given = await body(request, DiscoverSchema)
        started = epoch_ms()
        streams = await self._service.actors.discover(self._service.actors.get("source", given.source_id))
        entries = [{"stream": api_stream(stream), "config": _suggested(stream)} for stream in streams]
        return JSONResponse(
            {
                "catalog": {"streams": entries},
                "catalogId": new_id(),
                "breakingChange": False,
                "jobInfo": _synchronous("discover_schema", given.source_id, started),
            }
        )

    def _job(self, row: Row) -> Response:
        jobs = self._service.jobs
        return JSONResponse(config_job(row, jobs.streams(row), jobs.log_lines(row)))


def _suggested(stream: dict[str, Any]) -> dict[str, Any]:
    described = api_stream(stream)
    return {
        "syncMode": "full_refresh",
        "destinationSyncMode": "overwrite",
        "cursorField": described["defaultCursorField"],
        "primaryKey": described["sourceDefinedPrimaryKey"],
        "aliasName": described["name"],
        "selected": True,
    }


def _synchronous(kind: str, source_id: str, started: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "configType": kind,
        "configId": source_id,
        "createdAt": started // 1000,
        "endedAt": epoch_ms() // 1000,
        "succeeded": True,
    }
