"""What one call of an API takes: the routes are made of it, and so is the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lakehouse.embedded.airbyte.api.reading import Query, body, form_or_json
from lakehouse.embedded.airbyte.requests import Body


@dataclass(frozen=True)
class Call:
    """A call that has been read: its body as the operation's type, its query without unknown names."""

    path: dict[str, Any]
    query: Query
    body: Any


@dataclass(frozen=True)
class Operation:
    """One method of one path. A handler returns the JSON to answer, None for 204, or a whole response."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Any]]
    summary: str
    body: type[Body] | None = None
    query: tuple[str, ...] = ()
    paged: bool = False
    form: bool = False
    """Whether the body may be form-encoded too."""
    open: bool = False
    """Whether it answers without credentials."""


def routes(prefix: str, operations: Sequence[Operation]) -> list[Route]:
    """The operations as routes below a prefix."""
    return [_route(prefix, operation) for operation in operations]


def _route(prefix: str, operation: Operation) -> Route:
    read = form_or_json if operation.form else body

    async def answer(request: Request) -> Response:
        query = Query(request, operation.query, paged=operation.paged)
        given = None if operation.body is None else await read(request, operation.body)
        result = await operation.handler(Call(request.path_params, query, given))
        if isinstance(result, Response):
            return result
        return Response(status_code=204) if result is None else JSONResponse(result)

    return Route(prefix + operation.path, answer, methods=[operation.method])
