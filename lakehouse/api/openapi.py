"""The OpenAPI 3.1 document of what is served, made of the operations and their types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from lakehouse.api.operation import Operation
from lakehouse.api.problems import Problem

_REFERENCES = "#/components/schemas/{name}"
_PATH_PARAMETERS = re.compile(r"\{(\w+)\}")


def document(operations: Sequence[Operation], others: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The document; `others` are paths that are no operations, as they stand in it."""
    bodies = [operation.body for operation in operations if operation.body]
    shapes: list[Any] = [Problem, *dict.fromkeys([*(operation.answer for operation in operations), *bodies])]
    references, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCES)
    reference_of = dict(zip(shapes, references, strict=True))
    refused = {"description": "refused or failed", "content": _json(reference_of[Problem], "problem+json")}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _described(operation, reference_of[operation.answer], refused)
        if operation.body is not None:
            described["requestBody"] = {"required": True, "content": _json(reference_of[operation.body])}
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lakehouse",
            "version": version("lakehouse"),
            "description": "What is known of datasets, runs, syncs, alerts and logs, and read-only queries.",
        },
        "security": [{"token": []}],
        "paths": dict(sorted({**paths, **others}.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(operation: Operation, answer: Any, refused: dict[str, Any]) -> dict[str, Any]:
    content = _json(answer) | {kind: {"schema": {}} for kind in operation.kinds}
    in_path = set(_PATH_PARAMETERS.findall(operation.path))
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            {
                "name": field.name,
                "in": "path" if field.name in in_path else "query",
                "required": field.required,
                "schema": msgspec.json.schema(field.type),
            }
            for field in msgspec.structs.fields(operation.parameters)
        ],
        "responses": {"200": {"description": "found", "content": content}, "default": refused},
    }


def _json(schema: Any, kind: str = "json") -> dict[str, Any]:
    return {f"application/{kind}": {"schema": schema}}
