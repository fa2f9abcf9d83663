"""Who may call: basic credentials, or a bearer token made from the client id and secret of this server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from lakehouse.embedded.errors import EmbeddedError

TOKEN_SECONDS = 900


@dataclass(frozen=True)
class Credentials:
    """The server's own secrets and the user's; generated once, kept with mode 0600 in the home."""

    user: str
    password: str
    client_id: str
    client_secret: str
    signing_key: bytes
    workspace_id: str

    def token(self) -> str:
        """A bearer token that is valid for TOKEN_SECONDS, across restarts of the server."""
        body = _base64(json.dumps({"client_id": self.client_id, "exp": time.time() + TOKEN_SECONDS}).encode())
        return f"{body}.{self._signature(body)}"

    def is_client(self, client_id: str, client_secret: str) -> bool:
        """Whether these are the server's client credentials."""
        return _same(client_id, self.client_id) and _same(client_secret, self.client_secret)

    def admits(self, authorization: str) -> bool:
        """Whether an Authorization header names the user or carries a valid token."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "basic":
            return self._admits_basic(value.strip())
        return scheme.lower() == "bearer" and self._admits_bearer(value.strip())

    def _admits_basic(self, value: str) -> bool:
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return False
        return _same(user, self.user) and _same(password, self.password)

    def _admits_bearer(self, token: str) -> bool:
        body, _, signature = token.partition(".")
        if not _same(signature, self._signature(body)):
            return False
        claims = json.loads(base64.urlsafe_b64decode(body))
        return bool(claims["client_id"] == self.client_id and claims["exp"] > time.time())

    def _signature(self, body: str) -> str:
        return _base64(hmac.new(self.signing_key, body.encode(), hashlib.sha256).digest())


def load_credentials(home: Path, user: str, password: str, workspace_id: str | None) -> Credentials:
    """The credentials of a home, made at its first start. A given workspace id is taken only then.

    Raises EmbeddedError when another workspace id is asked for later.
    """
    path = home / "credentials.json"
    if path.exists():
        kept = json.loads(path.read_text())
    else:
        kept = {
            "client_id": secrets.token_hex(16),
            "client_secret": secrets.token_urlsafe(32),
            "signing_key": secrets.token_hex(32),
            "workspace_id": workspace_id or str(uuid.uuid4()),
        }
        _write_private(path, json.dumps(kept))
    if workspace_id not in (None, kept["workspace_id"]):
        problem = f"{home} belongs to workspace {kept['workspace_id']}, not {workspace_id}"
        raise EmbeddedError(problem, where="airbyte", remedy="give that id, or another --home")
    return Credentials(
        user=user,
        password=password,
        client_id=kept["client_id"],
        client_secret=kept["client_secret"],
        signing_key=bytes.fromhex(kept["signing_key"]),
        workspace_id=kept["workspace_id"],
    )


def _write_private(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()
