"""A configuration against the JSON schema that a connector declares for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakehouse.embedded.airbyte.protocol import ConnectorError


def check_by_spec(configuration: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Validates a configuration by a connectionSpecification (JSON schema draft 7).

    Raises ConnectorError with the first problem, naming the field.
    """
    from jsonschema import Draft7Validator

    problems = sorted(Draft7Validator(schema).iter_errors(dict(configuration)), key=lambda e: list(e.path))
    if problems:
        field = ".".join(str(part) for part in problems[0].path)
        # The message of a wrong value quotes the value, which may be a secret.
        reason = problems[0].message if problems[0].validator == "required" else _expected(problems[0])
        raise ConnectorError(f"{field}: {reason}" if field else reason, kind="config_error")


def secret_names(schema: Any) -> frozenset[str]:
    """Names of the fields, at any depth, that a connectionSpecification marks with `airbyte_secret`.

    >>> secret_names({"properties": {"key": {"oneOf": [{"properties": {"pem": {"airbyte_secret": True}}}]}}})
    frozenset({'pem'})
    """
    found: set[str] = set()
    if isinstance(schema, Mapping):
        for name, field in (schema.get("properties") or {}).items():
            if _is_secret(field):
                found.add(name)
        found.update(*(secret_names(value) for value in schema.values()))
    elif isinstance(schema, list):
        found.update(*(secret_names(value) for value in schema))
    return frozenset(found)


def _is_secret(field: Any) -> bool:
    if not isinstance(field, Mapping):
        return False
    options = [*(field.get("anyOf") or ()), *(field.get("oneOf") or ())]
    return field.get("airbyte_secret") is True or any(_is_secret(option) for option in options)


def _expected(problem: Any) -> str:
    return f"does not fulfil {problem.validator} {problem.validator_value!r}"[:300]
