"""One user, and tokens that outlive a restart. Only hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from lakehouse.embedded.dremio.errors import UnauthorizedError
from lakehouse.embedded.dremio.store import Store

TOKEN_SECONDS = 30 * 3600  # as long as Dremio's session tokens live by default


class Authenticator:
    """Checks passwords and tokens."""

    def __init__(self, store: Store, user: str, password: str) -> None:
        self._store = store
        self._user = user
        self._password = password

    def login(self, user: str, password: str) -> tuple[str, int]:
        """A new token and when it expires (epoch ms). Raises UnauthorizedError for wrong credentials."""
        known = hmac.compare_digest(user.encode(), self._user.encode())
        if not (hmac.compare_digest(password.encode(), self._password.encode()) and known):
            raise UnauthorizedError("Login failed: Invalid username or password")
        token = secrets.token_urlsafe(32)
        expires = int((time.time() + TOKEN_SECONDS) * 1000)
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM tokens WHERE expires_at < ?", (int(time.time() * 1000),))
            connection.execute("INSERT INTO tokens VALUES (?, ?, ?)", (_hash(token), user, expires))
        return token, expires

    def user_of(self, token: str) -> str:
        """Who the token belongs to. Raises UnauthorizedError for one that is unknown or expired."""
        row = self._store.row("SELECT user, expires_at FROM tokens WHERE hash = ?", _hash(token))
        if row is None or row["expires_at"] < time.time() * 1000:
            raise UnauthorizedError("the token is unknown or has expired; log in again")
        return str(row["user"])


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
