"""Who is logged in with a browser: a random cookie each, for half a day or until the server stops."""

from __future__ import annotations

import secrets
import time
from http.cookies import CookieError, SimpleCookie

COOKIE = "lakehouse_session"
SECONDS = 12 * 3600
_MOST = 1000
"""Sessions at once; the oldest go."""


class Sessions:
    """Sessions by their secret."""

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}

    def begin(self) -> str:
        """A new one; its secret."""
        now = time.monotonic()
        self._ends = {secret: end for secret, end in self._ends.items() if end > now}
        if len(self._ends) >= _MOST:
            self.end(next(iter(self._ends)))
        secret = secrets.token_urlsafe(32)
        self._ends[secret] = now + SECONDS
        return secret

    def holds(self, secret: str) -> bool:
        return self._ends.get(secret, 0) > time.monotonic()

    def end(self, secret: str) -> None:
        self._ends.pop(secret, None)


def secret_of(cookies: str) -> str:
    """What the Cookie header says; empty when it says nothing of ours."""
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
