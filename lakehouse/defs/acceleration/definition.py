"""A declared reflection as the body of Dremio's `POST /api/v3/reflection`, and whether one agrees with it."""

from __future__ import annotations

from typing import Any

from lakehouse.catalog.meta import Reflection
from lakehouse.clients.dremio import ReflectionState

_FIELD_KEYS = ("displayFields", "dimensionFields", "measureFields", "partitionFields", "sortFields")


def definition_of(reflection: Reflection, dataset_id: str) -> dict[str, Any]:
    """The request body (Dremio REST API v3, Reflection)."""
    definition: dict[str, Any] = {
        "entityType": "reflection",
        "type": "RAW" if reflection.type == "raw" else "AGGREGATION",
        "name": reflection.name,
        "datasetId": dataset_id,
        "enabled": True,
        "arrowCachingEnabled": False,
        "partitionDistributionStrategy": "CONSOLIDATED",
    }
    if reflection.display:
        definition["displayFields"] = [{"name": name} for name in reflection.display]
    if reflection.dimensions:
        definition["dimensionFields"] = [
            {"name": d.column, "granularity": d.granularity.upper()} for d in reflection.dimensions
        ]
    if reflection.measures:
        definition["measureFields"] = [
            {"name": m.column, "measureTypeList": [c.upper() for c in m.computations]}
            for m in reflection.measures
        ]
    if reflection.partition_by:
        definition["partitionFields"] = [{"name": name} for name in reflection.partition_by]
    if reflection.sort_by:
        definition["sortFields"] = [{"name": name} for name in reflection.sort_by]
    return definition


def agrees(state: ReflectionState, definition: dict[str, Any]) -> bool:
    """Whether the server's reflection is enabled and has the declared type and fields.

    Only what is declared is compared: the server adds defaults of its own, such as partition transforms.
    """
    have = state.definition
    return (
        state.enabled
        and have.get("type") == definition["type"]
        and all(_fields(have.get(key)) == _fields(definition.get(key)) for key in _FIELD_KEYS)
    )


def _fields(fields: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (
            field["name"],
            field.get("granularity") or "",
            tuple(sorted(str(measure).strip() for measure in field.get("measureTypeList") or ())),
        )
        for field in fields or []
    ]
