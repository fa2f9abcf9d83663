"""Request bodies and query strings, read strictly."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.requests import Body

_B = TypeVar("_B", bound=Body)
MAXIMUM_PAGE = 100
_MAXIMUM_BODY = 16 * 2**20


async def body(request: Request, shape: type[_B]) -> _B:
    """The JSON body as `shape`; no body is an empty object.

    Raises ApiError 400 naming the field that is unknown, missing or wrong, 413 for a body of more than 16 MiB.
    """
    raw = await _content(request) or b"{}"
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ApiError(400, f"request body: {error}") from error


async def form_or_json(request: Request, shape: type[_B]) -> _B:
    """A body that some clients send as JSON and others form-encoded."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return await body(request, shape)
    fields = dict(parse_qsl((await _content(request)).decode(errors="replace")))
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise ApiError(400, f"request body: {error}") from error


async def _content(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAXIMUM_BODY:
            raise ApiError(413, f"request body: it has more than {_MAXIMUM_BODY} bytes")
    return bytes(content)


class Query:
    """The query string of a call; where the call is paged also limit, offset and the address of the next page."""

    def __init__(self, request: Request, filters: Collection[str] = (), *, paged: bool) -> None:
        allowed = {*filters, *(("limit", "offset") if paged else ())}
        unknown = sorted(set(request.query_params) - allowed)
        if unknown:
            known = ", ".join(sorted(allowed)) or "none"
            raise ApiError(400, f"query parameter {unknown[0]} is unknown; known are {known}")
        self._request = request
        self.limit = self._number("limit", 20, 1, MAXIMUM_PAGE)
        self.offset = self._number("offset", 0, 0, 2**31)

    def value(self, name: str) -> str | None:
        """A filter's value, or None."""
        return self._request.query_params.get(name)

    def values(self, name: str) -> list[str]:
        """A filter that may be given several times or as a comma-separated list."""
        given = self._request.query_params.getlist(name)
        return [item for text in given for item in text.split(",") if item]

    def page(self, data: list[dict[str, object]]) -> dict[str, object]:
        """The page; `data` must hold one item more than the limit when there is a next page."""
        has_next = len(data) > self.limit
        return {
            "previous": self._address(max(0, self.offset - self.limit)) if self.offset else "",
            "next": self._address(self.offset + self.limit) if has_next else "",
            "data": data[: self.limit],
        }

    def _address(self, offset: int) -> str:
        kept = [(name, value) for name, value in self._request.query_params.multi_items() if name != "offset"]
        kept = [(name, value) for name, value in kept if name != "limit"]
        query = urlencode([*kept, ("limit", self.limit), ("offset", offset)])
        return str(self._request.url.replace(query=query))

    def _number(self, name: str, default: int, lowest: int, highest: int) -> int:
        text = self._request.query_params.get(name)
        if text is None:
            return default
        if not text.isdecimal() or len(text) > 10 or not lowest <= int(text) <= highest:
            raise ApiError(400, f"query parameter {name} must be a whole number from {lowest} to {highest}")
        return int(text)
