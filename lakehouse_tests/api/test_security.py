"""Who gets in, what they may send, and what answers carry."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.routing import Route

from lakehouse.api.application import application
from lakehouse.api.operation import Operation
from lakehouse.api.operations import operations_of
from lakehouse_tests.api.calls import IN_PATH, NEEDED, path_of
from lakehouse_tests.api.conftest import OTHER_TOKEN, TOKEN, Api, home_of
from lakehouse_tests.api.served import served

INJECTIONS = (
    "' OR '1'='1",
    "'; DROP TABLE partition_outcomes; --",
    '" UNION SELECT * FROM alembic_version --',
    "gold/fct_orders' --",
    "1; SELECT pg_sleep(10)",
    "0) OR (1=1",
    "%",
    "_",
    "gold/%",
    "\x00",
    "..%2f..%2fetc%2fpasswd",
    "../../etc/passwd",
    "${env:LAKEHOUSE_API__TOKENS}",
    "{{7*7}}",
    "𝕊𝔼𝕃𝔼ℂ𝕋",
    "a" * 5000,
)


def routes(api: Api) -> list[Route]:
    found = [route for route in api.app.routes if isinstance(route, Route)]
    assert len(found) == len(api.app.routes)
    return found


def test_no_route_but_health_answers_without_a_token(api: Api, stranger: httpx.Client) -> None:
    paths = {route.path: route.methods or {"GET"} for route in routes(api)}
    assert len(paths) > 10
    for path, methods in paths.items():
        for method in methods | {"OPTIONS", "PUT", "DELETE", "TRACE"}:
            answer = stranger.request(method, path_of(path, api))
            if (method, path) not in (("GET", "/health"), ("HEAD", "/health")):
                assert (method, path, answer.status_code) == (method, path, 401)
    assert stranger.get("/health").json() == {"status": "alive"}
    assert stranger.get("/nothing/at/all").status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer null",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN},{OTHER_TOKEN}",
        f"Bearer {hashlib.sha256(TOKEN.encode()).hexdigest()}",
    ],
)
def test_what_is_not_exactly_a_token_gets_nobody_in(stranger: httpx.Client, header: str) -> None:
    answer = stranger.get("/ready", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "path", ["//health", "/health/", "/Health", "/health/../ready", "/health%00", "/%2e/health"]
)
def test_only_health_itself_is_open(stranger: httpx.Client, path: str) -> None:
    assert stranger.get(path).status_code == 401


def test_the_new_and_the_old_token_are_both_accepted(api: Api, stranger: httpx.Client) -> None:
    for token in (TOKEN, OTHER_TOKEN):
        assert stranger.get("/ready", headers={"authorization": f"bearer {token}"}).status_code == 200


@pytest.mark.parametrize("sent", INJECTIONS)
def test_no_parameter_reaches_a_database_as_anything_but_a_value(api: Api, sent: str) -> None:
    """What is sent is refused, or finds nothing; it changes nothing and no database complains."""
    before = contents(api)
    for operation in operations_of(api.platform):
        for path, parameters in calls(operation, sent, api):
            answer = api.client.get(path, params=parameters)
            assert answer.status_code in (200, 400, 404), (path, parameters, answer.text)
            if answer.status_code == 200:
                assert not leaks(answer.json()), path
    assert contents(api) == before


def calls(operation: Operation, sent: str, api: Api) -> list[tuple[str, dict[str, Any]]]:
    """The operation once for each of its parameters, which alone is what is sent."""
    found = []
    for name in operation.parameters.__struct_fields__:
        path = path_of(operation.path, api, {name: quote(sent, safe="")} if name in IN_PATH else None)
        query = dict(NEEDED.get(operation.path, {}))
        if f"{{{name}}}" not in operation.path:
            query[name] = sent
        found.append((path, query))
    return found


def leaks(answer: Any) -> bool:
    """Whether more was found than nothing by a value that names nothing."""
    return bool(isinstance(answer, dict) and answer.get("total", 0))


def contents(api: Api) -> list[tuple[str, int]]:
    with api.platform.database.transaction() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars()
        return [
            (name, connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())
            for name in sorted(names)
        ]


def test_every_answer_carries_the_headers(api: Api, stranger: httpx.Client) -> None:
    answers = [
        api.client.get("/api/v1/datasets"),
        api.client.get("/api/v1/datasets/gold/nothing"),
        api.client.get("/nothing"),
        api.client.post("/api/v1/datasets"),
        stranger.get("/api/v1/datasets"),
        stranger.get("/health"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 404, 405, 401, 200]
    for answer in answers:
        policy = dict(
            part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers


def test_who_asks_too_often_is_told_when_to_come_again(api: Api) -> None:
    app = application(api.platform, [TOKEN], requests_per_second=2)
    with served(app, TOKEN) as client:
        answers = [client.get("/openapi.json") for _ in range(6)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) >= 1
        assert refused[0].headers["retry-after"] == "1"
        assert refused[0].json()["title"] == "Too Many Requests"
        assert client.get("/health").status_code == 200


def test_no_secret_is_answered(api: Api) -> None:
    for path in ("/ready", "/metrics", "/openapi.json", "/api/v1/alerts"):
        text = api.client.get(path).text
        assert TOKEN not in text
        assert str(home_of(api)) not in text
