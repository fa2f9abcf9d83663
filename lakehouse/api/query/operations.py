"""`POST /api/v1/query` and the further pages of its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lakehouse.api.body import json_body
from lakehouse.api.operation import Limit, Operation, parameters_of
from lakehouse.api.problems import ApiError
from lakehouse.api.query.read_only import MOST_CHARACTERS, require_read_only
from lakehouse.api.query.results import KEPT_SECONDS, Connections, Result, Results, ask
from lakehouse.api.query.rows import Column, arrow_stream, columns_of, encoder, rows_of
from lakehouse.errors import ServiceRefusedError
from lakehouse.settings import Settings

ARROW = "application/vnd.apache.arrow.stream"
AT_ONCE = 4
_WAITING = 16
_PATH = "/api/v1/query"
T = TypeVar("T")


class QueryWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sql: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_CHARACTERS)]
    """One SELECT, WITH or EXPLAIN PLAN FOR."""
    limit: Limit = 1000


class PageWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    query_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{22}$", description="of the answer before")]
    offset: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 0
    limit: Limit = 1000


class QueryPage(msgspec.Struct):
    query_id: str
    columns: list[Column]
    rows: list[list[Any]]
    total: int
    """Rows of the whole result, as far as it was read."""
    truncated: bool
    """Whether there is more than was read."""
    seconds: float
    next: str | None
    """Path of the following page; kept for five minutes."""


class Queries:
    """Both operations. A few queries run at once, some wait, more are refused."""

    def __init__(self, settings: Settings) -> None:
        self._limits = settings.api
        self._connections = Connections(settings.dremio, settings.api.query_seconds)
        self._results = Results()
        self._threads = anyio.CapacityLimiter(AT_ONCE)
        self._asked = 0

    @property
    def operations(self) -> list[Operation]:
        return [
            Operation(
                _PATH,
                "Ask Dremio; with `Accept: application/vnd.apache.arrow.stream` the whole result as Arrow",
                QueryPage,
                respond=self.query,
                method="POST",
                body=QueryWanted,
                kinds=(ARROW,),
            ),
            Operation(
                f"{_PATH}/{{query_id}}",
                "A further page of a result",
                QueryPage,
                respond=self.query_page,
                parameters=PageWanted,
            ),
        ]

    async def query(self, request: Request) -> Response:
        wanted = await json_body(request, QueryWanted)
        as_arrow = ARROW in request.headers.get("accept", "")
        result = await self._in_turn(lambda: self._ask(wanted.sql))
        if as_arrow:
            headers = {"x-truncated": str(result.truncated).lower()}
            body = await anyio.to_thread.run_sync(arrow_stream, result.table)
            return Response(body, headers=headers, media_type=ARROW)
        if result.table.num_rows > wanted.limit:
            self._results.keep(result)
        return await _page(result, 0, wanted.limit)

    async def query_page(self, request: Request) -> Response:
        wanted = parameters_of(request, PageWanted)
        result = self._results.find(wanted.query_id)
        if result is None:
            kept = f"results are kept for {KEPT_SECONDS / 60:.0f} minutes, the newest ones"
            raise ApiError(404, f"no result has the id {wanted.query_id}; {kept}: ask again")
        return await _page(result, wanted.offset, wanted.limit)

    def _ask(self, sql: str) -> Result:
        require_read_only(sql)
        try:
            return ask(self._connections, sql, self._limits.query_rows)
        except ServiceRefusedError as error:
            raise ApiError(400, error.problem) from None

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._asked >= AT_ONCE + _WAITING:
            raise ApiError(503, f"{self._asked} queries run or wait; try again", {"Retry-After": "1"})
        self._asked += 1
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._asked -= 1


async def _page(result: Result, offset: int, limit: int) -> Response:
    body = await anyio.to_thread.run_sync(_encoded, result, offset, limit)
    return Response(body, media_type="application/json")


def _encoded(result: Result, offset: int, limit: int) -> bytes:
    total, end = result.table.num_rows, offset + limit
    page = {
        "query_id": result.id,
        "columns": columns_of(result.table.schema),
        "rows": rows_of(result.table.slice(offset, limit)),
        "total": total,
        "truncated": result.truncated,
        "seconds": round(result.seconds, 3),
        "next": f"{_PATH}/{result.id}?offset={end}&limit={limit}" if end < total else None,
    }
    return encoder.encode(page)
