"""JSON over HTTP to one service: every failure becomes a LakehouseError that names service and address."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from lakehouse.errors import LakehouseError, ServiceDownError, ServiceRefusedError, TransientError

TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})
SAFE_METHODS = frozenset({"GET"})


@dataclass(frozen=True)
class Service:
    """Who is called, for the messages."""

    name: str
    url: str
    start_with: str = "start it with `lakehouse up`"
    credentials: str = ""
    """Which settings hold the credentials: told when they are refused."""


class JsonApi:
    """A JSON API of one service.

    Connections are retried by the transport; answers that may change (408, 429, 5xx, a time-out) are retried
    four times, for GET only.
    """

    def __init__(
        self,
        service: Service,
        *,
        auth: httpx.Auth | None = None,
        timeout: float = 30.0,
        verify: bool = True,
        error_text: Callable[[Any], str | None],
    ) -> None:
        self.service = service
        self._error_text = error_text
        self._http = httpx.Client(
            base_url=service.url,
            auth=auth,
            timeout=httpx.Timeout(timeout, connect=5.0),
            transport=httpx.HTTPTransport(retries=2, verify=verify),
            headers={"accept": "application/json"},
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, *, params: dict[str, Any] | None = None, missing_ok: bool = False) -> Any:
        return self.call("GET", path, params=params, missing_ok=missing_ok)

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: dict[str, Any] | None = None,
        files: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
        missing_ok: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """The decoded answer; None for an empty one, or for 404 where `missing_ok`.

        `files` and `data` are the parts of a form, in place of `json`; `timeout` is in seconds, for calls that take
        longer than others.

        Raises:
            ServiceDownError: nothing answers at the address.
            ServiceRefusedError: the service answered and refused (4xx).
            TransientError: the same call may succeed later (time-out, 408, 429, 5xx).
        """
        attempts = Retrying(
            retry=retry_if_exception(_worth_repeating),
            stop=stop_after_attempt(4 if method in SAFE_METHODS else 1),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            reraise=True,
        )
        waiting = self._http.timeout if timeout is None else httpx.Timeout(timeout, connect=5.0)
        request = self._http.build_request(
            method, path, json=json, params=params, files=files, data=data, timeout=waiting
        )
        return attempts(self._once, request, missing_ok)

    def _once(self, request: httpx.Request, missing_ok: bool) -> Any:
        where = f"{self.service.name} at {self.service.url}"
        try:
            response = self._http.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ServiceDownError("does not answer", where=where, remedy=self.service.start_with) from error
        except httpx.HTTPError as error:
            problem = f"{request.method} {request.url.path} broke off: {error or type(error).__name__}"
            raise TransientError(problem, where=where) from error
        if response.status_code == 404 and missing_ok:
            return None
        if response.is_error:
            raise self._refusal(response, where)
        return response.json() if response.content else None

    def _refusal(self, response: httpx.Response, where: str) -> LakehouseError:
        text = one_line(self._text(response))
        status = response.status_code
        if status in TRANSIENT_STATUS:
            return TransientError(f"answered {status} to {response.request.url.path}: {text}", where=where)
        if status in (401, 403):
            return ServiceRefusedError(
                f"credentials refused ({status})", where=where, remedy=self.service.credentials
            )
        return ServiceRefusedError(
            f"refused {response.request.method} {response.request.url.path} ({status}): {text}", where=where
        )

    def _text(self, response: httpx.Response) -> str:
        try:
            body = response.json()
        except jsonlib.JSONDecodeError:
            return response.text
        return self._error_text(body) or response.text


def one_line(text: str, limit: int = 500) -> str:
    """The text on one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _worth_repeating(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, ServiceDownError)
