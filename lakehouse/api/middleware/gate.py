"""Nothing answers without a token, but `/health`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lakehouse.api.problems import problem_response

OPEN = frozenset({"/health"})


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
    """Lets in who has a token."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN or self._tokens.bearer(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        detail = "send `Authorization: Bearer` with a token of LAKEHOUSE_API__TOKENS"
        headers = {"WWW-Authenticate": 'Bearer realm="lakehouse"'}
        await problem_response(401, detail, headers)(scope, receive, send)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
