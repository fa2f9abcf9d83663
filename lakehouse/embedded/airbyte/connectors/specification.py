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


def _expected(problem: Any) -> str:
    return f"does not fulfil {problem.validator} {problem.validator_value!r}"[:300]
