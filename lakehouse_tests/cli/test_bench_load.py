"""Requests at an even rate."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lakehouse.cli.bench.load import ask_evenly
from lakehouse.errors import PermanentError
from lakehouse_tests.api.served import served


def test_every_request_is_made_and_timed_from_when_it_was_due() -> None:
    seen: list[str | None] = []

    async def answer(request: Request) -> Response:
        seen.append(request.headers.get("authorization"))
        return PlainTextResponse("fine", 200 if request.url.path != "/bad" else 500)

    app = Starlette(routes=[Route("/{path:path}", answer)])
    with served(app) as client:
        host, port = client.base_url.host, client.base_url.port
        assert port is not None
        asked = asyncio.run(ask_evenly(host, port, ("/a", "/b"), "token", per_second=500, seconds=0.1))
        with pytest.raises(PermanentError, match="/bad: answered 500"):
            asyncio.run(ask_evenly(host, port, ("/bad",), "token", per_second=100, seconds=0.05))
    assert sorted(one.path for one in asked) == ["/a"] * 25 + ["/b"] * 25
    assert all(one.seconds > 0 for one in asked)
    assert set(seen) == {"Bearer token"}
