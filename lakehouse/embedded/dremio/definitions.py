"""Reflection definitions as REST sends them (`/api/v3/reflection`): checked, brought to one form, and described."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lakehouse.embedded.dremio.errors import BadRequestError
from lakehouse.embedded.dremio.sql.model import Path, ReflectionCandidate, Relation

_KNOWN = frozenset({
    "entityType", "id", "tag", "type", "name", "datasetId", "enabled", "arrowCachingEnabled", "partitionDistributionStrategy",
    "displayFields", "dimensionFields", "dateFields", "measureFields", "partitionFields", "distributionFields", "sortFields",
    "canView", "canAlter", "createdAt", "updatedAt", "status", "currentSizeBytes", "totalSizeBytes", "outputRecords",
    "isArrowCached", "reflectionScore",
})  # fmt: skip
_MEASURES = ("SUM", "COUNT", "MIN", "MAX")


def check_definition(given: dict[str, Any], relation: Relation) -> dict[str, Any]:
    """One form for every client's definition, its columns checked against the dataset.

    Raises:
        BadRequestError: an unknown key, column or measure, or a type that is neither RAW nor AGGREGATION.
    """
    unknown = sorted(set(given) - _KNOWN)
    if unknown:
        raise BadRequestError(f"reflection: unknown {', '.join(unknown)}")
    kind = given.get("type")
    if kind not in ("RAW", "AGGREGATION"):
        raise BadRequestError(f"reflection: type must be RAW or AGGREGATION, not {kind!r}")
    if not given.get("name"):
        raise BadRequestError("reflection: a name is required")
    columns = {column.name.lower(): column.name for column in relation.columns}
    place = ".".join(relation.path)

    def named(key: str) -> list[dict[str, Any]]:
        fields = []
        for item in given.get(key) or []:
            name = columns.get(str(item["name"]).strip().lower())
            if name is None:
                raise BadRequestError(
                    f"reflection {given['name']}: {key}: {place} has no column {item['name']}"
                )
            fields.append({**item, "name": name})
        return fields

    definition: dict[str, Any] = {
        "type": kind,
        "name": given["name"],
        "enabled": bool(given.get("enabled", True)),
        "partitionDistributionStrategy": given.get("partitionDistributionStrategy") or "CONSOLIDATED",
    }
    if kind == "RAW":
        definition["displayFields"] = named("displayFields")
        if not definition["displayFields"]:
            raise BadRequestError(f"reflection {given['name']}: a RAW reflection needs displayFields")
    else:
        definition["dimensionFields"] = [
            {"name": item["name"], "granularity": item.get("granularity") or "DATE"}
            for item in (*named("dimensionFields"), *named("dateFields"))
        ]
        definition["measureFields"] = [_measure(item, given["name"]) for item in named("measureFields")]
    for key in ("partitionFields", "distributionFields", "sortFields"):
        if given.get(key):
            definition[key] = named(key)
    return definition


def candidate_of(
    reflection_id: str, dataset: Path, definition: dict[str, Any], rows: int
) -> ReflectionCandidate:
    """The definition as the matcher reads it."""
    return ReflectionCandidate(
        reflection_id=reflection_id,
        dataset=dataset,
        type=definition["type"],
        display=tuple(item["name"] for item in definition.get("displayFields", ())),
        dimensions=tuple(
            (item["name"], item["granularity"]) for item in definition.get("dimensionFields", ())
        ),
        measures=tuple(
            (item["name"], tuple(item["measureTypeList"])) for item in definition.get("measureFields", ())
        ),
        rows=rows,
    )


def describe(state: dict[str, Any], dataset_id: str, *, stale: bool) -> dict[str, Any]:
    """A reflection as `GET /api/v3/reflection/{id}` gives it."""
    build = state.get("build")
    definition = state["definition"]
    available = bool(build) and not stale
    failed = state["refresh"] == "GIVEN_UP"
    if not definition["enabled"]:
        combined = "DISABLED"
    elif failed:
        combined = "FAILED"
    elif available:
        combined = "CAN_ACCELERATE"
    elif state["refresh"] in ("PENDING", "RUNNING"):
        combined = "REFRESHING"
    else:
        combined = "CANNOT_ACCELERATE_MANUAL"
    status: dict[str, Any] = {
        "config": "OK",
        "refresh": {"PENDING": "RUNNING"}.get(state["refresh"], state["refresh"]),
        "availability": "AVAILABLE" if available else ("EXPIRED" if build else "NONE"),
        "combinedStatus": combined,
        "failureCount": state["failures"],
        "refreshMethod": "FULL",
    }
    if build:
        status["lastDataFetch"] = iso(build["fetched_at"])
        status["expiresAt"] = "3000-01-01T00:00:00.000Z"
        status["lastRefreshDurationMillis"] = int(build["seconds"] * 1000)
    if state.get("problem"):
        status["lastFailure"] = {"message": state["problem"]}
    return {
        "entityType": "reflection",
        "id": state["id"],
        "tag": state["tag"],
        "datasetId": dataset_id,
        "createdAt": iso(state["created_at"]),
        "currentSizeBytes": build["size"] if build else 0,
        "totalSizeBytes": build["size"] if build else 0,
        "outputRecords": build["rows"] if build else 0,
        "arrowCachingEnabled": False,
        "status": status,
        **definition,
    }


def iso(epoch_ms: int) -> str:
    """UTC in the form Dremio writes."""
    moment = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _measure(item: dict[str, Any], reflection: str) -> dict[str, Any]:
    kinds = [str(kind).strip().upper() for kind in item.get("measureTypeList") or ("SUM", "COUNT")]
    unknown = [kind for kind in kinds if kind not in _MEASURES]
    if unknown:
        raise BadRequestError(
            f"reflection {reflection}: measure {', '.join(unknown)} is not supported by the local engine; "
            f"known are {', '.join(_MEASURES)}"
        )
    return {"name": item["name"], "measureTypeList": sorted(set(kinds), key=_MEASURES.index)}
