"""The public API, below /api/public/v1 (source: https://reference.airbyte.com)."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.api.reading import Page, body, form_or_json
from lakehouse.embedded.airbyte.api.views import public_actor, public_connection, public_job, public_workspace
from lakehouse.embedded.airbyte.clock import parse_moment
from lakehouse.embedded.airbyte.credentials import TOKEN_SECONDS, Credentials
from lakehouse.embedded.airbyte.operations.lookup import workspace
from lakehouse.embedded.airbyte.requests import (
    CreateActor,
    CreateConnection,
    CreateJob,
    PatchActor,
    PatchConnection,
    PutActor,
    TokenRequest,
)
from lakehouse.embedded.airbyte.schedules import schedule_of
from lakehouse.embedded.airbyte.service import Service
from lakehouse.embedded.airbyte.store import Condition, Row

PREFIX = "/api/public/v1"
_OLDEST_FIRST = "created_at, id"
_ORDERS = {"createdAt": "created_at", "updatedAt": "updated_at"}
_STATUSES = ("pending", "running", "incomplete", "failed", "succeeded", "cancelled")


def routes(service: Service, credentials: Credentials) -> list[Route]:
    """Every route of the public API."""
    api = _PublicApi(service, credentials)
    table: list[tuple[str, str, Any]] = [
        ("GET", "/health", api.health),
        ("POST", "/applications/token", api.token),
        ("GET", "/workspaces", api.list_workspaces),
        ("GET", "/workspaces/{id}", api.get_workspace),
        ("GET", "/connections", api.list_connections),
        ("POST", "/connections", api.create_connection),
        ("GET", "/connections/{id}", api.get_connection),
        ("PATCH", "/connections/{id}", api.patch_connection),
        ("DELETE", "/connections/{id}", api.delete_connection),
        ("GET", "/jobs", api.list_jobs),
        ("POST", "/jobs", api.create_job),
        ("GET", "/jobs/{id:int}", api.get_job),
        ("DELETE", "/jobs/{id:int}", api.cancel_job),
    ]
    for kind in ("source", "destination"):
        actors = _Actors(service, kind)
        table += [
            ("GET", f"/{kind}s", actors.list),
            ("POST", f"/{kind}s", actors.create),
            ("GET", f"/{kind}s/{{id}}", actors.get),
            ("PATCH", f"/{kind}s/{{id}}", actors.patch),
            ("PUT", f"/{kind}s/{{id}}", actors.put),
            ("DELETE", f"/{kind}s/{{id}}", actors.delete),
        ]
    return [Route(PREFIX + path, handler, methods=[method]) for method, path, handler in table]


class _Actors:
    """Sources or destinations."""

    def __init__(self, service: Service, kind: str) -> None:
        self._service = service
        self._kind = kind

    def _actor(self, request: Request) -> Row:
        return self._service.actors.get(self._kind, request.path_params["id"])

    def _shown(self, row: Row) -> Response:
        return JSONResponse(public_actor(row, self._service.registry))

    async def list(self, request: Request) -> Response:
        page = Page(request, ("workspaceIds", "includeDeleted"))
        conditions = [("kind = ?", self._kind), *_workspaces(page)]
        rows = self._service.store.page("actors", conditions, _OLDEST_FIRST, page.limit, page.offset)
        return JSONResponse(page.response([public_actor(row, self._service.registry) for row in rows]))

    async def create(self, request: Request) -> Response:
        return self._shown(self._service.actors.create(self._kind, await body(request, CreateActor)))

    async def get(self, request: Request) -> Response:
        return self._shown(self._actor(request))

    async def patch(self, request: Request) -> Response:
        given = await body(request, PatchActor)
        actor = self._actor(request)
        return self._shown(self._service.actors.change(actor, given.name, given.configuration, merge=True))

    async def put(self, request: Request) -> Response:
        given = await body(request, PutActor)
        actor = self._actor(request)
        return self._shown(self._service.actors.change(actor, given.name, given.configuration, merge=False))

    async def delete(self, request: Request) -> Response:
        self._service.actors.delete(self._actor(request))
        return Response(status_code=204)


class _PublicApi:
    """Workspaces, connections, jobs and tokens."""

    def __init__(self, service: Service, credentials: Credentials) -> None:
        self._service = service
        self._credentials = credentials

    async def health(self, _: Request) -> Response:
        return PlainTextResponse("Successful operation")

    async def token(self, request: Request) -> Response:
        given = await form_or_json(request, TokenRequest)
        if not self._credentials.is_client(given.client_id, given.client_secret):
            raise ApiError(401, "client_id or client_secret is wrong")
        token = self._credentials.token()
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    async def list_workspaces(self, request: Request) -> Response:
        page = Page(request, ("workspaceIds", "includeDeleted"))
        rows = self._service.store.rows("SELECT * FROM workspaces ORDER BY created_at, id")
        wanted = page.values("workspaceIds")
        shown = [public_workspace(row) for row in rows if not wanted or row["id"] in wanted]
        return JSONResponse(page.response(shown[page.offset :]))

    async def get_workspace(self, request: Request) -> Response:
        return JSONResponse(public_workspace(workspace(self._service.store, request.path_params["id"])))

    async def list_connections(self, request: Request) -> Response:
        page = Page(request, ("workspaceIds", "includeDeleted", "tagIds"))
        rows = self._service.store.page(
            "connections", _workspaces(page), _OLDEST_FIRST, page.limit, page.offset
        )
        return JSONResponse(page.response([self._shown_connection(row) for row in rows]))

    async def create_connection(self, request: Request) -> Response:
        row = await self._service.connections.create(await body(request, CreateConnection))
        return JSONResponse(self._shown_connection(row))

    async def get_connection(self, request: Request) -> Response:
        return JSONResponse(self._shown_connection(self._connection(request)))

    async def patch_connection(self, request: Request) -> Response:
        given = await body(request, PatchConnection)
        row = await self._service.connections.change(self._connection(request), given)
        return JSONResponse(self._shown_connection(row))

    async def delete_connection(self, request: Request) -> Response:
        connection = self._connection(request)
        await self._service.jobs.cancel_all(connection)
        self._service.connections.delete(connection)
        return Response(status_code=204)

    async def list_jobs(self, request: Request) -> Response:
        page = Page(
            request,
            (
                "connectionId", "jobType", "workspaceIds", "status", "createdAtStart", "createdAtEnd",
                "updatedAtStart", "updatedAtEnd", "orderBy",
            ),
        )  # fmt: skip
        order = _job_order(page)
        rows = self._service.store.page("jobs", _job_conditions(page), order, page.limit, page.offset)
        return JSONResponse(page.response([self._shown_job(row) for row in rows]))

    async def create_job(self, request: Request) -> Response:
        given = await body(request, CreateJob)
        connection = self._service.connections.get(given.connection_id)
        return JSONResponse(self._shown_job(await self._service.jobs.start(connection)))

    async def get_job(self, request: Request) -> Response:
        return JSONResponse(self._shown_job(self._job(request)))

    async def cancel_job(self, request: Request) -> Response:
        return JSONResponse(self._shown_job(await self._service.jobs.cancel(self._job(request))))

    def _connection(self, request: Request) -> Row:
        return self._service.connections.get(request.path_params["id"])

    def _shown_connection(self, row: Row) -> dict[str, Any]:
        return public_connection(row, schedule_of(self._service.store, row["id"]))

    def _job(self, request: Request) -> Row:
        return self._service.jobs.get(request.path_params["id"])

    def _shown_job(self, row: Row) -> dict[str, Any]:
        return public_job(row, self._service.jobs.streams(row))


def _workspaces(page: Page) -> list[Condition]:
    wanted = page.values("workspaceIds")
    return [("workspace_id IN (SELECT value FROM json_each(?))", json.dumps(wanted))] if wanted else []


def _job_conditions(page: Page) -> list[Condition]:
    conditions = _workspaces(page)
    for name, sql in (
        ("connectionId", "connection_id = ?"),
        ("jobType", "type = ?"),
        ("status", "status = ?"),
    ):
        value = page.value(name)
        if name == "status" and value not in (None, *_STATUSES):
            raise ApiError(400, f"status {value} is unknown; known are {', '.join(_STATUSES)}")
        if value is not None:
            conditions.append((sql, value))
    for name, column in _ORDERS.items():
        for suffix, operator in (("Start", ">="), ("End", "<=")):
            value = page.value(name + suffix)
            if value is not None:
                conditions.append((f"{column} {operator} ?", _moment(name + suffix, value)))
    return conditions


def _moment(name: str, text: str) -> int:
    try:
        return parse_moment(text)
    except ValueError as error:
        raise ApiError(400, f"{name}: {text} is no ISO 8601 time") from error


def _job_order(page: Page) -> str:
    text = page.value("orderBy") or "createdAt|DESC"
    field, _, direction = text.partition("|")
    if field not in _ORDERS or direction.upper() not in ("ASC", "DESC"):
        raise ApiError(
            400, f"orderBy {text}: use createdAt|ASC, createdAt|DESC, updatedAt|ASC or updatedAt|DESC"
        )
    return f"{_ORDERS[field]} {direction.upper()}, id {direction.upper()}"
