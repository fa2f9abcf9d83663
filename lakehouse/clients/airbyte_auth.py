"""How Airbyte knows us."""

from __future__ import annotations

import time
from collections.abc import Generator

import httpx

from lakehouse.errors import ConfigurationError
from lakehouse.settings_sections import AirbyteSettings

PUBLIC = "/api/public/v1"
TOKEN_SECONDS = 150  # tokens live three minutes


def auth_of(settings: AirbyteSettings) -> httpx.Auth | None:
    """Client id and secret where they are set, else user and password; None for an Airbyte that asks for neither.

    Raises:
        ConfigurationError: a client id without its secret.
    """
    if settings.client_id:
        if settings.client_secret is None:
            raise ConfigurationError(
                "is not set", where="LAKEHOUSE_AIRBYTE__CLIENT_SECRET", remedy="it belongs to the client id"
            )
        return _ClientCredentials(settings)
    if settings.user and settings.password:
        return httpx.BasicAuth(settings.user, settings.password.get_secret_value())
    return None


class _ClientCredentials(httpx.Auth):
    """`POST /applications/token`, then a bearer token until shortly before it expires."""

    requires_response_body = True

    def __init__(self, settings: AirbyteSettings) -> None:
        self._settings = settings
        self._token: str | None = None
        self._expires = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._token is None or time.monotonic() > self._expires:
            secret = self._settings.client_secret
            answer = yield httpx.Request(
                "POST",
                f"{self._settings.url}{PUBLIC}/applications/token",
                json={
                    "client_id": self._settings.client_id,
                    "client_secret": secret.get_secret_value() if secret else None,
                },
                extensions=request.extensions,
            )
            if answer.is_error:
                return
            self._token = answer.json()["access_token"]
            self._expires = time.monotonic() + TOKEN_SECONDS
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request
