"""The ASGI application: the routes, and what every request passes before it comes to one."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lakehouse.api.kept import Kept
from lakehouse.api.metrics import register_platform
from lakehouse.api.middleware.gate import Gate, Tokens
from lakehouse.api.middleware.headers import POLICY, Headers
from lakehouse.api.middleware.limit import RateLimit
from lakehouse.api.middleware.measured import Measured
from lakehouse.api.openapi import document
from lakehouse.api.operation import ROUTE, route_of
from lakehouse.api.operations import operations_of
from lakehouse.api.page.page import STYLE_SOURCE, Page
from lakehouse.api.page.sessions import Sessions, secret_of
from lakehouse.api.platform import Platform
from lakehouse.api.problems import ApiError, on_api_error, on_crash, on_failure, on_http
from lakehouse.errors import LakehouseError
from lakehouse.observability.metrics.exposition import CONTENT_TYPE, exposition


def application(platform: Platform, tokens: Iterable[str], requests_per_second: float) -> Starlette:
    """The whole API. Of one client it takes so many requests a second."""
    registry = CollectorRegistry()
    register_platform(registry, platform)
    operations, kept = operations_of(platform), Kept()
    accepted, sessions = Tokens(tokens), Sessions()
    page = Page(platform, kept, sessions, accepted.accept)
    described = msgspec.json.encode(document(operations, _OTHERS))

    async def health(request: Request) -> Response:
        request.scope[ROUTE] = "/health"
        return Response(b'{"status":"alive"}', media_type="application/json")

    def metrics(request: Request) -> Response:  # may wait for services: Starlette gives it a thread
        request.scope[ROUTE] = "/metrics"
        return Response(exposition(registry), headers={"content-type": CONTENT_TYPE})

    async def openapi(request: Request) -> Response:
        request.scope[ROUTE] = "/openapi.json"
        return Response(described, media_type="application/json")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        # Importing and looking for the first time takes seconds, which nobody should wait for.
        looking = asyncio.create_task(asyncio.to_thread(_look_once, platform))
        yield
        await looking

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/metrics", metrics),
            Route("/openapi.json", openapi),
            *page.routes,
            *(route_of(operation, kept) for operation in operations),
        ],
        middleware=[
            Middleware(Measured, registry=registry),
            Middleware(Headers, policy=f"{POLICY}; style-src {STYLE_SOURCE}; img-src data:"),
            Middleware(RateLimit, rate=requests_per_second),
            Middleware(
                Gate,
                tokens=accepted,
                cookie=lambda cookies: sessions.holds(secret_of(cookies)),
                ask=page.ask,
            ),
        ],
        exception_handlers={
            ApiError: on_api_error,
            HTTPException: on_http,
            LakehouseError: on_failure,
            Exception: on_crash,
        },
        lifespan=lifespan,
    )


def _look_once(platform: Platform) -> None:
    try:
        platform.facts()
    except LakehouseError:
        return  # told to whoever asks
    # What is imported by now stays: looking through all of it for garbage would stop every request, again and again.
    gc.collect()
    gc.freeze()


def _get(summary: str, kind: str, **more: Any) -> dict[str, Any]:
    answer = {"description": "found", "content": {kind: {"schema": {}}}}
    return {"get": {"summary": summary, "responses": {"200": answer}, **more}}


def _form(summary: str, **more: Any) -> dict[str, Any]:
    answer = {"description": "done; go to the page"}
    return {"post": {"summary": summary, "responses": {"303": answer}, **more}}


_OTHERS = {
    "/health": _get("Whether the API is alive; needs no token", "application/json", security=[]),
    "/metrics": _get("Metrics for Prometheus", "text/plain"),
    "/openapi.json": _get("This document", "application/json"),
    "/": _get("The web page", "text/html"),
    "/login": _form("Get a cookie for a token, to read with; needs no token", security=[]),
    "/logout": _form("Make the cookie worthless"),
}
