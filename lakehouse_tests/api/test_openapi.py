"""The OpenAPI document is valid and says what is served."""

from __future__ import annotations

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from lakehouse_tests.api.conftest import Api


def test_the_document_is_valid_and_has_every_route(api: Api) -> None:
    document = api.client.get("/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    served = {
        (route.path.replace(":path", ""), method.lower())
        for route in api.app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described == served
    without = [
        path for path, methods in document["paths"].items() if methods.get("get", {}).get("security") == []
    ]
    assert without == ["/health"]


def test_answers_are_as_described(api: Api) -> None:
    document = api.client.get("/openapi.json").json()
    values = {"{key}": "gold/fct_orders", "{run_id}": api.runs[0], "{connection}": "shop"}
    needed = {
        "/api/v1/partitions": {"dataset": "gold/fct_daily_revenue"},
        "/api/v1/logs/counts": {"by": "level"},
    }
    checked = 0
    for path, methods in document["paths"].items():
        if (
            "get" not in methods
            or path in ("/api/v1/slow-queries", "/api/v1/reflections")
            or "{query_id}" in path
        ):
            continue  # of Dremio: test_query.py has those
        schema = methods["get"]["responses"]["200"]["content"].get("application/json", {}).get("schema")
        if not schema:
            continue
        real = path
        for name, value in values.items():
            real = real.replace(name, value)
        answer = api.client.get(real, params=needed.get(path)).json()
        jsonschema.validate(answer, {**schema, "components": document["components"]})
        checked += 1
    assert checked >= 9
