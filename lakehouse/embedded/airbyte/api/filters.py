"""Conditions and orders of list calls on the public API."""

from __future__ import annotations

import json

from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.api.reading import Query
from lakehouse.embedded.airbyte.clock import parse_moment
from lakehouse.embedded.airbyte.store import Condition

OLDEST_FIRST = "created_at, id"
JOB_FILTERS = (
    "connectionId", "jobType", "workspaceIds", "status", "createdAtStart", "createdAtEnd", "updatedAtStart",
    "updatedAtEnd", "orderBy",
)  # fmt: skip
_ORDERS = {"createdAt": "created_at", "updatedAt": "updated_at"}
_STATUSES = ("pending", "running", "incomplete", "failed", "succeeded", "cancelled")
_TYPES = ("sync", "refresh", "clear", "reset")


def workspaces(query: Query) -> list[Condition]:
    """Rows of the workspaces asked for; of all by default."""
    wanted = query.values("workspaceIds")
    return [("workspace_id IN (SELECT value FROM json_each(?))", json.dumps(wanted))] if wanted else []


def jobs(query: Query) -> list[Condition]:
    """Jobs that the query asks for. Raises ApiError."""
    conditions = workspaces(query)
    for name, sql, known in (
        ("connectionId", "connection_id = ?", None),
        ("jobType", "type = ?", _TYPES),
        ("status", "status = ?", _STATUSES),
    ):
        value = query.value(name)
        if known is not None and value not in (None, *known):
            raise ApiError(400, f"{name} {value} is unknown; known are {', '.join(known)}")
        if value is not None:
            conditions.append((sql, value))
    for name, column in _ORDERS.items():
        for suffix, operator in (("Start", ">="), ("End", "<=")):
            value = query.value(name + suffix)
            if value is not None:
                conditions.append((f"{column} {operator} ?", _moment(name + suffix, value)))
    return conditions


def job_order(query: Query) -> str:
    """The order that the query asks for, newest first by default. Raises ApiError."""
    text = query.value("orderBy") or "createdAt|DESC"
    field, _, direction = text.partition("|")
    if field not in _ORDERS or direction.upper() not in ("ASC", "DESC"):
        raise ApiError(
            400, f"orderBy {text}: use createdAt|ASC, createdAt|DESC, updatedAt|ASC or updatedAt|DESC"
        )
    return f"{_ORDERS[field]} {direction.upper()}, id {direction.upper()}"


def _moment(name: str, text: str) -> int:
    try:
        return parse_moment(text)
    except ValueError as error:
        raise ApiError(400, f"{name}: {text} is no ISO 8601 time") from error
