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
    shapes: list[Any] = [Problem, *dict.fromkeys(operation.answer for operation in operations)]
    references, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCES)
    reference_of = dict(zip(shapes, references, strict=True))
    refused = {"description": "refused or failed", "content": _json(reference_of[Problem], "problem+json")}
    paths = {
        operation.path: {"get": _described(operation, reference_of[operation.answer], refused)}
        for operation in operations
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lakehouse",
            "version": version("lakehouse"),
            "description": "What is known of datasets, runs, syncs and alerts; answers may be two seconds old.",
        },
        "security": [{"token": []}],
        "paths": dict(sorted({**paths, **others}.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _described(operation: Operation, answer: Any, refused: dict[str, Any]) -> dict[str, Any]:
    in_path = set(_PATH_PARAMETERS.findall(operation.path))
    return {
        "operationId": operation.read.__name__,
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
        "responses": {"200": {"description": "found", "content": _json(answer)}, "default": refused},
    }


def _json(schema: Any, kind: str = "json") -> dict[str, Any]:
    return {f"application/{kind}": {"schema": schema}}
