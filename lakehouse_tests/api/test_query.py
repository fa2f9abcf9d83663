"""Queries over REST, on a real engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import dagster as dg
import httpx
import jsonschema
import pyarrow as pa
import pytest

from lakehouse.api.application import application
from lakehouse.api.platform import Platform
from lakehouse.settings import load_settings
from lakehouse_tests.api.conftest import ROWS, TOKEN
from lakehouse_tests.api.served import served
from lakehouse_tests.warehouse import Warehouse

pytestmark = pytest.mark.slow

ARROW = {"accept": "application/vnd.apache.arrow.stream"}
NUMBERS = "SELECT n, CAST(n AS DECIMAL(10, 2)) AS d, day FROM lake.bronze.numbers ORDER BY n"


@pytest.fixture(scope="module")
def client(warehouse: Warehouse) -> Iterator[httpx.Client]:
    platform = Platform(load_settings(warehouse.home), dg.DagsterInstance.ephemeral())
    with served(application(platform, [TOKEN], requests_per_second=10_000), TOKEN) as client:
        yield client


def ask(client: httpx.Client, sql: str, **body: Any) -> httpx.Response:
    return client.post("/api/v1/query", json={"sql": sql, **body})


def test_a_small_result_is_one_page(client: httpx.Client) -> None:
    page = ask(client, f"{NUMBERS} LIMIT 2").json()
    assert page["columns"] == [
        {"name": "n", "type": "int64"},
        {"name": "d", "type": "decimal128(10, 2)"},
        {"name": "day", "type": "date32[day]"},
    ]
    assert page["rows"] == [[0, 0.0, "2022-01-08"], [1, 1.0, "2022-01-09"]]
    assert (page["total"], page["truncated"], page["next"]) == (2, False, None)


def test_the_pages_are_those_of_one_answer(client: httpx.Client, warehouse: Warehouse) -> None:
    page = ask(client, NUMBERS, limit=700).json()
    seen = page["rows"]
    document = client.get("/openapi.json").json()
    schema = {"$ref": "#/components/schemas/QueryPage", "components": document["components"]}
    while page["next"]:
        page = client.get(page["next"]).json()
        jsonschema.validate(page, schema)
        seen += page["rows"]
    assert [row[0] for row in seen] == list(range(2000))
    assert (page["total"], page["truncated"]) == (2000, True)
    beyond = client.get(f"/api/v1/query/{page['query_id']}", params={"offset": 5000}).json()
    assert (beyond["rows"], beyond["next"]) == ([], None)


def test_arrow_is_the_whole_result(client: httpx.Client) -> None:
    answer = client.post("/api/v1/query", json={"sql": f"{NUMBERS} LIMIT 1500"}, headers=ARROW)
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert answer.headers["x-truncated"] == "false"
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table["n"].to_pylist() == list(range(1500))
    cut = client.post("/api/v1/query", json={"sql": NUMBERS}, headers=ARROW)
    assert (cut.headers["x-truncated"], pa.ipc.open_stream(cut.content).read_all().num_rows) == ("true", 2000)


def test_an_empty_result_has_columns(client: httpx.Client) -> None:
    page = ask(client, "SELECT n FROM lake.bronze.numbers WHERE n < 0").json()
    assert (page["columns"], page["rows"]) == ([{"name": "n", "type": "int64"}], [])


def test_explain_is_answered(client: httpx.Client) -> None:
    assert ask(client, "EXPLAIN PLAN FOR SELECT n FROM lake.bronze.numbers").json()["total"] >= 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"sql": "DELETE FROM lake.bronze.numbers"}, 400, "this API only reads"),
        ({"sql": "SELECT 1; DELETE FROM lake.bronze.numbers"}, 400, "2 statements"),
        ({"sql": "SELECT x FROM lake.bronze.numbers"}, 400, "x"),
        ({"sql": "SELECT 1", "limit": 0}, 400, "Expected `int` >= 1"),
        ({"sql": "SELECT 1", "as": "root"}, 400, "unknown field `as`"),
        ({}, 400, "missing required field `sql`"),
        ({"sql": 1}, 400, "Expected `str`"),
        ([], 400, "Expected `object`"),
    ],
)
def test_what_is_no_query_is_refused_in_one_line(
    client: httpx.Client, body: Any, status: int, words: str
) -> None:
    answer = client.post("/api/v1/query", json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_bodies_are_json_of_bounded_size(client: httpx.Client) -> None:
    form = client.post("/api/v1/query", data={"sql": "SELECT 1"})
    assert form.status_code == 415
    large = client.post("/api/v1/query", json={"sql": "x" * 200_000})
    assert large.status_code == 413
    no_text = client.post("/api/v1/query", content=b"\xff{", headers={"content-type": "application/json"})
    assert no_text.status_code == 400


def test_nothing_was_changed_by_what_was_refused(client: httpx.Client) -> None:
    assert ask(client, "SELECT COUNT(*) AS n FROM lake.bronze.numbers").json()["rows"] == [[ROWS]]


def test_a_result_that_is_gone_says_so(client: httpx.Client) -> None:
    answer = client.get("/api/v1/query/" + "A" * 22)
    assert (answer.status_code, "ask again" in answer.json()["detail"]) == (404, True)


def test_a_token_that_dremio_no_longer_knows_is_replaced(client: httpx.Client, warehouse: Warehouse) -> None:
    ask(client, "SELECT 1 AS one")
    with closing(sqlite3.connect(warehouse.directory / "home" / "dremio.db")) as database, database:
        assert database.execute("DELETE FROM tokens").rowcount > 0
    assert ask(client, "SELECT 2 AS two").json()["rows"] == [[2]]


def test_a_query_that_takes_too_long_is_given_up(warehouse: Warehouse) -> None:
    settings = load_settings(warehouse.home)
    hurried = settings.model_copy(update={"api": settings.api.model_copy(update={"query_seconds": 0.3})})
    platform = Platform(hurried, dg.DagsterInstance.ephemeral())
    four = ", ".join(f"lake.bronze.numbers t{number}" for number in range(4))
    with served(application(platform, [TOKEN], requests_per_second=100), TOKEN) as client:
        answer = ask(client, f"SELECT SUM(t0.n * t1.n + t2.n * t3.n) FROM {four}")
    assert answer.status_code == 503
    assert "timed out" in answer.json()["detail"]


def test_what_was_asked_is_among_the_slow_queries(client: httpx.Client) -> None:
    ask(client, "SELECT MAX(n) AS newest FROM lake.bronze.numbers")
    document = client.get("/openapi.json").json()
    found = client.get("/api/v1/slow-queries", params={"limit": 100}).json()
    schema = {"$ref": "#/components/schemas/SlowQueryList", "components": document["components"]}
    jsonschema.validate(found, schema)
    seconds = [query["seconds"] for query in found["items"]]
    assert seconds == sorted(seconds, reverse=True)
    (mine,) = [query for query in found["items"] if query["sql"].startswith("SELECT MAX(n) AS newest")]
    assert (mine["datasets"], mine["accelerated"]) == ("lake.bronze.numbers", False)
    reflections = client.get("/api/v1/reflections").json()["items"]
    assert {one["used"] for one in reflections} == {0}
    storage = {one["layer"]: one for one in client.get("/api/v1/storage").json()["items"]}
    assert storage["bronze"]["objects"] > 0
    assert storage["bronze"]["bytes"] > 1000
