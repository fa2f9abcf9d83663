"""The ASGI application: routes, authentication, and addresses with or without a trailing slash."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from lakehouse.embedded.airbyte.api import configuration, public
from lakehouse.embedded.airbyte.api.problems import (
    ApiError,
    on_crash,
    on_http,
    on_problem,
    problem_response,
)
from lakehouse.embedded.airbyte.credentials import Credentials
from lakehouse.embedded.airbyte.service import Service

OPEN_PATHS = frozenset(
    {f"{configuration.PREFIX}/health", f"{public.PREFIX}/health", f"{public.PREFIX}/applications/token"}
)


def application(service: Service, credentials: Credentials, lifespan: Lifespan[Starlette]) -> ASGIApp:
    """The server's ASGI application."""
    app = Starlette(
        routes=[*public.routes(service, credentials), *configuration.routes(service)],
        exception_handlers={ApiError: on_problem, HTTPException: on_http, Exception: on_crash},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return _Gate(app, credentials)


class _Gate:
    """Lets in who may call, and takes a trailing slash off: some clients send one and follow no redirect."""

    def __init__(self, app: ASGIApp, credentials: Credentials) -> None:
        self._app = app
        self._credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].rstrip("/") or "/"
        headers = dict(scope["headers"])
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        if path not in OPEN_PATHS and not self._credentials.admits(authorization):
            detail = "give basic credentials, or a bearer token from /api/public/v1/applications/token"
            await problem_response(401, detail)(scope, receive, send)
            return
        await self._app({**scope, "path": path, "raw_path": path.encode()}, receive, send)
