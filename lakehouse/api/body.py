"""The body of a request, read no further than it may be."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request

from lakehouse.api.problems import ApiError

B = TypeVar("B", bound=msgspec.Struct)
MOST_BYTES = 128 * 1024


async def read_body(request: Request) -> bytes:
    """The whole body. Raises ApiError (413) for one that is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ApiError(413, f"a body may have {MOST_BYTES} bytes")
    return body


async def json_body(request: Request, kind: type[B]) -> B:
    """The body as JSON. Raises ApiError for another content type, no JSON, and what is not as it has to be."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != "application/json":
        raise ApiError(415, f"send content-type application/json, not {given or 'none'}")
    try:
        return msgspec.json.decode(await read_body(request), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, f"the body is not as it has to be: {error}") from None
