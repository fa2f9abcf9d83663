"""Superset as the stack runs it: who gets in, and what a second start keeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lakehouse_tests.superset import PASSWORD, USER, Superset, new_superset, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("superset") / "home"


@pytest.fixture(scope="module")
def superset(home: Path) -> Iterator[Superset]:
    with running(new_superset(home)) as server:
        yield server


def login(superset: Superset, password: str) -> httpx.Response:
    body = {"username": USER, "password": password, "provider": "db"}
    with superset.http() as http:
        return http.post("/api/v1/security/login", json=body)


def bearer(superset: Superset, password: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {login(superset, password).json()['access_token']}"}


def test_nothing_answers_without_a_login(superset: Superset) -> None:
    assert login(superset, "wrong").status_code == 401
    with superset.http() as http:
        for path in ("/api/v1/dashboard/", "/api/v1/database/", "/api/v1/dataset/", "/api/v1/me/"):
            assert http.get(path).status_code == 401, path
        assert http.get("/superset/welcome/").headers["location"].startswith("/login")
    with sqlite3.connect(superset.home / "superset" / "superset.db") as metadata:
        of_the_public = """SELECT COUNT(*) FROM ab_permission_view_role
            JOIN ab_role ON ab_role.id = role_id WHERE ab_role.name = 'Public'"""
        assert metadata.execute(of_the_public).fetchone() == (0,)


def test_a_change_needs_the_token_against_forged_requests(superset: Superset) -> None:
    body = {"dashboard_title": "forged"}
    with superset.http() as http:
        http.headers.update(bearer(superset, PASSWORD))
        refused = http.post("/api/v1/dashboard/", json=body)
        assert refused.status_code == 400
        assert "CSRF" in refused.text
        token = http.get("/api/v1/security/csrf_token/").json()["result"]
        headers = {"X-CSRFToken": token, "Referer": superset.url}
        assert http.post("/api/v1/dashboard/", json=body, headers=headers).status_code == 201


def test_what_it_keeps_is_private(superset: Superset) -> None:
    folder = superset.home / "superset"
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "superset.db").stat().st_mode & 0o077 == 0


def test_a_second_start_takes_the_new_password_and_keeps_the_rest(tmp_path: Path, superset: Superset) -> None:
    changed = new_superset(superset.home).with_password("another-password-of-the-tests")
    with running(changed):
        assert login(changed, PASSWORD).status_code == 401
        with changed.http() as http:
            http.headers.update(bearer(changed, changed.login.password))
            assert http.get("/api/v1/me/").json()["result"]["username"] == USER
    log = (superset.home / "logs" / "superset.jsonl").read_text()
    assert log.count("migrating the metadata database") == 1
