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
    checked = 0
    for path, methods in document["paths"].items():
        schema = methods["get"]["responses"]["200"]["content"].get("application/json", {}).get("schema")
        if not schema:
            continue
        real = path
        for name, value in values.items():
            real = real.replace(name, value)
        query = {"dataset": "gold/fct_daily_revenue"} if path.endswith("/partitions") else {}
        answer = api.client.get(real, params=query).json()
        jsonschema.validate(answer, {**schema, "components": document["components"]})
        checked += 1
    assert checked >= 9
