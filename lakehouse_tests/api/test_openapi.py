"""The OpenAPI document is valid and says what is served."""

from __future__ import annotations

import jsonschema
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from lakehouse_tests.api.calls import NEEDED, OF_DREMIO, path_of
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
    checked = 0
    for path, methods in document["paths"].items():
        if "get" not in methods or path in OF_DREMIO or "{query_id}" in path:
            continue  # of Dremio: test_query.py has those
        schema = methods["get"]["responses"]["200"]["content"].get("application/json", {}).get("schema")
        if not schema:
            continue
        answer = api.client.get(path_of(path, api), params=NEEDED.get(path)).json()
        jsonschema.validate(answer, {**schema, "components": document["components"]})
        checked += 1
    assert checked >= 9
