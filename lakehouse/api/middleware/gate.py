"""Nothing answers without a token, but `/health`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lakehouse.api.problems import problem_response

OPEN = frozenset({("GET", "/health"), ("HEAD", "/health"), ("POST", "/login")})
"""Whoever logs in has no token yet; `/login` refuses by itself what is none."""
_BROWSERS_READ = frozenset({"GET", "HEAD"})
_LOGOUT = ("POST", "/logout")


class Tokens:
    """The tokens that are accepted. Kept are hashes, whose comparison tells nothing of a token's length."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._hashes = [_hash(token) for token in tokens]

    def accept(self, token: str) -> bool:
        given = _hash(token)
        return any(hmac.compare_digest(given, known) for known in self._hashes)

    def bearer(self, headers: Headers) -> bool:
        """Whether the Authorization header holds one."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.accept(token.strip())


class Gate:
    """Lets in who has a token, or reads with the cookie that one was exchanged for.

    Args:
        cookie: whether a Cookie header belongs to somebody who logged in. It opens nothing but reading, so that no page
            elsewhere can have a browser do anything.
        ask: the answer to a browser that asks for the page.
    """

    def __init__(
        self, app: ASGIApp, tokens: Tokens, cookie: Callable[[str], bool], ask: Callable[[], Response]
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._cookie = cookie
        self._ask = ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._admits(scope):
            await self._app(scope, receive, send)
        elif scope["path"] == "/" and scope["method"] in _BROWSERS_READ:
            await self._ask()(scope, receive, send)
        else:
            detail = "send `Authorization: Bearer` with a token of LAKEHOUSE_API__TOKENS"
            headers = {"WWW-Authenticate": 'Bearer realm="lakehouse"'}
            await problem_response(401, detail, headers)(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        call = (scope["method"], scope["path"])
        if call in OPEN:
            return True
        headers = Headers(scope=scope)
        reads = scope["method"] in _BROWSERS_READ or call == _LOGOUT
        return self._tokens.bearer(headers) or (reads and self._cookie(headers.get("cookie", "")))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
