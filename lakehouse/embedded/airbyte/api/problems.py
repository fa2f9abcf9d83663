"""Errors as the API answers them: {status, type, title, detail}."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_TYPES = {
    400: ("bad-request", "Bad request"),
    401: ("unauthorized", "Unauthorized"),
    404: ("resource-not-found", "Resource not found"),
    405: ("method-not-allowed", "Method not allowed"),
    409: ("try-again-later", "Conflict"),
    413: ("request-too-large", "Request too large"),
    422: ("unprocessable-entity", "Unprocessable entity"),
    423: ("locked", "Locked"),
    500: ("unexpected-problem", "Unexpected problem"),
    502: ("connector-failed", "The connector failed"),
}


class Problem(msgspec.Struct):
    """The body of every error; `message` repeats `detail` for clients that look there."""

    status: int
    type: str
    title: str
    detail: str
    message: str


class ApiError(Exception):
    """An answer other than success; `detail` is one line that names what is wrong and what to do."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def problem_response(status: int, detail: str) -> Response:
    """The body every error has; `detail` may quote what was sent and is put on one line."""
    detail = " ".join(detail.split())
    name, title = _TYPES.get(status, ("problem", "Problem"))
    address = f"https://reference.airbyte.com/reference/errors#{name}"
    body = msgspec.to_builtins(Problem(status, address, title, detail, detail))
    headers = {"WWW-Authenticate": 'Basic realm="airbyte"'} if status == 401 else None
    return JSONResponse(body, status, headers)


async def on_problem(_: Request, error: Any) -> Response:
    """Starlette handler of ApiError."""
    return problem_response(error.status, error.detail)


async def on_http(request: Request, error: Any) -> Response:
    """Starlette handler of its own HTTPException: 404 and 405."""
    detail = f"{request.method} {request.url.path}: {error.detail}"
    if error.status_code == 404:
        detail = f"{request.method} {request.url.path} is not served by this Airbyte-compatible server"
    return problem_response(error.status_code, detail)


async def on_crash(_: Request, error: Exception) -> Response:
    """Starlette handler of everything unforeseen; Starlette raises it on, and uvicorn logs it in full."""
    return problem_response(500, f"{type(error).__name__}; the server's log has the details")
