"""A real Superset for tests, in the environment that `make superset` prepared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from lakehouse.embedded.alone import alone
from lakehouse.embedded.ports import free_port
from lakehouse.embedded.services import SUPERSET, Login, superset_service
from lakehouse.embedded.superset.installation import environment, is_installed

USER, PASSWORD = "lakehouse", "a-password-of-the-tests"


def superset_python(home: Path) -> Path:
    """The Python of Superset's environment. Tests are skipped without it, and fail where it is required."""
    place = environment(home / SUPERSET)
    if not is_installed(place):
        problem = "no Superset here; `make superset` installs it"
        if SUPERSET in os.environ.get("TESTS_REQUIRE", "").split(","):
            pytest.fail(problem)
        pytest.skip(problem)
    return place / "bin" / "python"


@dataclass(frozen=True)
class Superset:
    """Where a running one is, and who may log in."""

    home: Path
    login: Login

    @property
    def url(self) -> str:
        return f"http://{self.login.host}:{self.login.port}"

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60)

    def answer_to_login(self) -> httpx.Response:
        body = {"username": self.login.user, "password": self.login.password, "provider": "db"}
        with self.http() as http:
            return http.post("/api/v1/security/login", json=body)

    @contextmanager
    def logged_in(self) -> Iterator[httpx.Client]:
        """A client of the service user, with the token against forged requests."""
        with self.http() as http:
            http.headers["Authorization"] = f"Bearer {self.answer_to_login().json()['access_token']}"
            http.headers["X-CSRFToken"] = http.get("/api/v1/security/csrf_token/").json()["result"]
            http.headers["Referer"] = self.url
            yield http

    def with_password(self, password: str) -> Superset:
        return replace(self, login=replace(self.login, password=password))


def new_superset(home: Path) -> Superset:
    superset_python(home)
    return Superset(home, Login("127.0.0.1", free_port(), USER, PASSWORD))


@contextmanager
def running(superset: Superset) -> Iterator[Superset]:
    """Superset for the length of the block; what it knows stays in its home."""
    service = superset_service(superset.home, superset.login, "a-secret-key-of-the-tests" * 2, None)
    superset.home.mkdir(exist_ok=True)
    with alone(service, superset.home):
        yield superset
