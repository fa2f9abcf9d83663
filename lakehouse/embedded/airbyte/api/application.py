"""The ASGI application: routes, authentication, and addresses with or without a trailing slash."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from lakehouse.embedded.airbyte.api import configuration, public
from lakehouse.embedded.airbyte.api.openapi import document
from lakehouse.embedded.airbyte.api.operation import Call, Operation, routes
from lakehouse.embedded.airbyte.api.problems import (
    ApiError,
    on_crash,
    on_http,
    on_problem,
    problem_response,
)
from lakehouse.embedded.airbyte.credentials import Credentials
from lakehouse.embedded.airbyte.service import Service


def application(service: Service, credentials: Credentials, lifespan: Lifespan[Starlette]) -> ASGIApp:
    """The server's ASGI application."""
    apis = operations_of(service, credentials)
    app = Starlette(
        routes=[route for prefix, operations in apis.items() for route in routes(prefix, operations)],
        exception_handlers={ApiError: on_problem, HTTPException: on_http, Exception: on_crash},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    open_paths = {
        prefix + operation.path
        for prefix, operations in apis.items()
        for operation in operations
        if operation.open
    }
    return _Gate(app, credentials, frozenset(open_paths))


def operations_of(service: Service, credentials: Credentials) -> dict[str, list[Operation]]:
    """Every operation that is served, by the prefix of its API; one of them describes them all."""
    apis = {
        public.PREFIX: public.operations(service, credentials),
        configuration.PREFIX: configuration.operations(service),
    }

    async def describe(_: Call) -> Any:
        return document(apis)

    summary = "Describe every call of both APIs, as OpenAPI"
    apis[public.PREFIX].append(Operation("GET", "/openapi.json", describe, summary))
    return apis


class _Gate:
    """Lets in who may call, and takes a trailing slash off: some clients send one and follow no redirect."""

    def __init__(self, app: ASGIApp, credentials: Credentials, open_paths: frozenset[str]) -> None:
        self._app = app
        self._credentials = credentials
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].rstrip("/") or "/"
        headers = dict(scope["headers"])
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        if path not in self._open_paths and not self._credentials.admits(authorization):
            detail = "give basic credentials, or a bearer token from /api/public/v1/applications/token"
            await problem_response(401, detail)(scope, receive, send)
            return
        await self._app({**scope, "path": path, "raw_path": path.encode()}, receive, send)
