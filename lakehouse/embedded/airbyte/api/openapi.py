"""The OpenAPI 3.1 document of what is served, made of the operations and their request types.

It stands at GET /api/public/v1/openapi.json. A real Airbyte serves its configuration API's document at
/api/v1/openapi and publishes the public API's on its documentation site only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from lakehouse.embedded.airbyte.api.operation import Operation
from lakehouse.embedded.airbyte.api.problems import Problem

_REFERENCES = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_SECURITY: list[dict[str, list[str]]] = [{"basic": []}, {"bearer": []}]


def document(apis: Mapping[str, Sequence[Operation]]) -> dict[str, Any]:
    """The document of several APIs, each below its prefix."""
    bodies = sorted(
        {operation.body for operations in apis.values() for operation in operations if operation.body},
        key=lambda shape: shape.__qualname__,
    )
    shapes: list[type[msgspec.Struct]] = [*bodies, Problem]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCES)
    references: dict[type[msgspec.Struct], Any] = {}
    references.update(zip(shapes, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for prefix, operations in apis.items():
        for operation in operations:
            path = _PARAMETER.sub(r"{\1}", prefix + operation.path)
            paths.setdefault(path, {})[operation.method.lower()] = _described(operation, path, references)
    schemes = {name: {"type": "http", "scheme": name} for name in ("basic", "bearer")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Airbyte-compatible server", "version": version("lakehouse")},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": schemes},
    }


def _described(
    operation: Operation, path: str, references: Mapping[type[msgspec.Struct], Any]
) -> dict[str, Any]:
    problem = {"application/json": {"schema": references[Problem]}}
    described: dict[str, Any] = {
        "operationId": f"{operation.method.lower()} {path}",
        "summary": operation.summary,
        "security": [] if operation.open else _SECURITY,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": {
            "2XX": {"description": "done"},
            "default": {"description": "refused or failed", "content": problem},
        },
    }
    if operation.body is not None:
        content = {"schema": references[operation.body]}
        kinds = ["application/json", *(["application/x-www-form-urlencoded"] if operation.form else [])]
        described["requestBody"] = {"content": dict.fromkeys(kinds, content), "required": True}
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind else "string"}}
        for name, kind in _PARAMETER.findall(operation.path)
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    kinds = dict.fromkeys(operation.query, "string")
    kinds |= dict.fromkeys(("limit", "offset"), "integer") if operation.paged else {}
    return [{"name": name, "in": "query", "schema": {"type": kind}} for name, kind in kinds.items()]
