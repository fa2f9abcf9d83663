"""Requests that nobody should send: whatever comes, the answer is Airbyte's error body and never a crash."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, Connection

pytestmark = pytest.mark.slow
EXAMPLES = 400
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY")
NASTY = (
    "", "a\nb", str(2**70),
    "\x00", "\ud7ff", "' OR 1=1 --", "../..", "%00", "${jndi:x}", "a" * 5000, "1e999", "null", "* * * * * ?",
    "2026-11-23T00:00:00Z", "0001-01-01T00:00:00+23:59", "createdAt|ASC", "active", "sync", "refresh", "basic",
    "cron", "incremental_deduped_history", "things", "global", "stream", "Merge", "file:///", "s3", "fake",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Target:
    """A server, its routes with the fields they take, and ids of what is there."""

    server: AirbyteServer
    routes: list[tuple[str, str, dict[str, Any], list[str]]]
    ids: list[Any]
    shapes: dict[str, Any]
    stranger: httpx.Client


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("fuzzed")
    server = AirbyteServer(folder / "home", folder / "lake")
    connection: Connection = server.connect({}, "fake", None)
    job = connection.sync()
    shown = server.call("GET", f"{server.public}/connections/{connection.id}")
    described = server.call("GET", f"{server.public}/openapi.json")
    routes = []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            queries = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
            routes.append((method.upper(), path, content.get("schema", {}), queries))
    ids = [connection.id, connection.source_id, shown["destinationId"], server.workspace_id, job["jobId"], 0]
    with httpx.Client(timeout=30) as stranger:
        yield Target(server, routes, ids, described["components"]["schemas"], stranger)
    server.stop()


plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(NASTY),
)
anything = st.recursive(
    plain,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=6), some, max_size=3),
    max_leaves=6,
)


def value_of(schema: dict[str, Any], target: Target, draw: Any, depth: int = 0) -> Any:
    """Something that fits a schema more often than not."""
    if depth > 6 or draw(st.integers(0, 11)) == 0:
        return draw(anything)
    if "$ref" in schema:
        return value_of(target.shapes[schema["$ref"].rpartition("/")[2]], target, draw, depth + 1)
    if "anyOf" in schema:
        return value_of(draw(st.sampled_from(schema["anyOf"])), target, draw, depth + 1)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    match schema.get("type"):
        case "object" if "properties" in schema:
            required = set(schema.get("required", ()))
            names = [name for name in schema["properties"] if name in required or draw(st.booleans())]
            made = {name: value_of(schema["properties"][name], target, draw, depth + 1) for name in names}
            return made | ({"surplus": 1} if draw(st.integers(0, 15)) == 0 else {})
        case "object":
            return draw(st.dictionaries(st.sampled_from(["sourceType", "mode", "x"]), anything, max_size=3))
        case "array":
            size = draw(st.integers(0, 2))
            return [value_of(schema.get("items", {}), target, draw, depth + 1) for _ in range(size)]
        case "string":
            return draw(st.sampled_from([*target.ids[:4], *NASTY]) | st.text(max_size=10))
        case "integer":
            return draw(st.sampled_from([0, 1, 5, 2**31, 2**63 - 1, target.ids[4]]))
        case "boolean":
            return draw(st.booleans())
    return draw(anything)


def body_of(schema: dict[str, Any], target: Target, draw: Any) -> bytes:
    if draw(st.integers(0, 5)) == 0:
        return draw(
            st.binary(max_size=40) | st.sampled_from([b"[" * 50_000, b'{"a":' * 9000, b"\xff\xfe", b"1e400"])
        )
    return json.dumps(value_of(schema, target, draw)).encode()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_request_crashes_the_server(target: Target, data: st.DataObject) -> None:
    draw, server = data.draw, target.server
    method, path, schema, queries = draw(st.sampled_from(target.routes))
    if draw(st.integers(0, 9)) == 0:
        method = draw(st.sampled_from(METHODS))
    address = re.sub(
        r"\{\w+\}",
        lambda _: httpx.QueryParams(x=str(draw(st.sampled_from([*target.ids, *NASTY])))).__str__()[2:],
        path,
    )
    names = st.sampled_from([*queries, "surplus"]) if queries else st.just("surplus")
    query = draw(
        st.dictionaries(names, st.sampled_from([*target.ids, *NASTY]) | st.text(max_size=8), max_size=2)
    )
    kind = draw(st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/plain", ""]))
    authorization = draw(st.sampled_from([None, None, None, None, "Bearer x", "Basic %", "Bearer .", "\xe9"]))
    headers = {"content-type": kind} | ({} if authorization is None else {"authorization": authorization})
    client = server.client if authorization is None else target.stranger
    answer = client.request(
        method, server.url + address,
        params=query or None, content=body_of(schema, target, draw),
        headers={name: value.encode("latin-1") for name, value in headers.items()},
    )  # fmt: skip
    assert answer.status_code < 500, (method, address, query, answer.text)
    if answer.status_code >= 400 and method != "HEAD":
        problem = answer.json()
        assert {"status", "type", "title", "detail"} <= set(problem)
        assert problem["status"] == answer.status_code
        assert "\n" not in problem["detail"]
    assert target.stranger.get(f"{server.config}/health").json() == {"available": True}
