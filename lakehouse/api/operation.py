"""What one call of the API takes and gives: the routes are made of it, and so is the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lakehouse.api.kept import FRESH_SECONDS, Kept
from lakehouse.api.problems import ApiError

P = TypeVar("P", bound=msgspec.Struct)
ROUTE = "api_route"
"""Key of an ASGI scope: the operation's path, for metrics."""

Limit = Annotated[int, msgspec.Meta(ge=1, le=1000, description="the most items to answer")]
Offset = Annotated[int, msgspec.Meta(ge=0, le=1_000_000, description="how many items to leave out")]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


@dataclass(frozen=True)
class Operation:
    """One method of one path: either `read`, whose answer is kept for a moment, or `respond`, which sees every request."""

    path: str
    summary: str
    answer: type[msgspec.Struct]
    read: Callable[[Any], msgspec.Struct] | None = None
    """Given the parameters; runs in a thread."""
    respond: Callable[[Request], Awaitable[Response]] | None = None
    method: str = "GET"
    parameters: type[msgspec.Struct] = Nothing
    """Those of the path and of the query."""
    body: type[msgspec.Struct] | None = None
    kinds: tuple[str, ...] = ()
    """Content types that it answers besides JSON."""
    fresh_seconds: float = FRESH_SECONDS
    status_of: Callable[[bytes], int] = lambda _: 200
    """The status of an answer that is kept."""

    @property
    def name(self) -> str:
        """One of its own, for generated clients."""
        return (self.read or self.respond).__name__  # type: ignore[union-attr]


def route_of(operation: Operation, kept: Kept) -> Route:
    """The operation as a route."""

    async def answer(request: Request) -> Response:
        request.scope[ROUTE] = operation.path
        if operation.respond is not None:
            return await operation.respond(request)
        return await _kept_answer(operation, request, kept)

    # A dataset's key has slashes.
    path = operation.path.replace("{key}", "{key:path}")
    return Route(path, answer, methods=[operation.method])


async def _kept_answer(operation: Operation, request: Request, kept: Kept) -> Response:
    read = operation.read
    if read is None:
        raise ValueError(f"{operation.path} has neither read nor respond")
    given = parameters_of(request, operation.parameters)
    body = await kept.get(
        (operation.path, given), lambda: msgspec.json.encode(read(given)), operation.fresh_seconds
    )
    return Response(body, operation.status_of(body), media_type="application/json")


def parameters_of(request: Request, kind: type[P]) -> P:
    """The parameters of path and query.

    Raises:
        ApiError: one is unknown, given twice, missing, or not as it has to be.
    """
    query = request.query_params
    for name in query:
        if len(query.getlist(name)) > 1:
            raise ApiError(400, f"parameter {name} is given twice")
        if name in request.path_params:
            raise ApiError(400, f"parameter {name} belongs in the path")
    try:
        return msgspec.convert({**query, **request.path_params}, kind, strict=False)
    except msgspec.ValidationError as error:
        known = ", ".join(field.name for field in msgspec.structs.fields(kind)) or "none"
        raise ApiError(400, f"{error}; the parameters are {known}") from None
