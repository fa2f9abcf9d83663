"""Errors as the API answers them: problem details (RFC 9457), the detail in one line."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lakehouse.errors import LakehouseError, TransientError

_log = logging.getLogger(__name__)


class Problem(msgspec.Struct):
    """The body of every error."""

    type: str
    title: str
    status: int
    detail: str
    """One line: what is wrong, and what to do."""


class ApiError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """`detail` may quote what was sent; it is put on one line."""
    line = " ".join(detail.split())
    problem = Problem("about:blank", HTTPStatus(status).phrase, status, line)
    return Response(msgspec.json.encode(problem), status, headers, media_type="application/problem+json")


async def on_api_error(_: Request, error: Any) -> Response:
    """Starlette handler of ApiError."""
    return problem_response(error.status, error.detail, error.headers)


async def on_http(request: Request, error: Any) -> Response:
    """Starlette handler of its own HTTPException: 404 and 405."""
    detail = f"{request.method} {request.url.path} is not served; GET /openapi.json lists what is"
    return problem_response(error.status_code, detail, error.headers)


async def on_failure(_: Request, error: Any) -> Response:
    """Starlette handler of LakehouseError: something that the API reads does not answer, or is wrong."""
    failure: LakehouseError = error
    return problem_response(503 if isinstance(failure, TransientError) else 500, str(failure))


async def on_crash(request: Request, error: Exception) -> Response:
    """Starlette handler of everything unforeseen; what it was is for the log only."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(500, f"{type(error).__name__}; the API's log has the details")
