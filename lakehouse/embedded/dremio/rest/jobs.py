"""/api/v3/sql and /api/v3/job."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lakehouse.embedded.dremio.definitions import iso
from lakehouse.embedded.dremio.errors import BadRequestError, NotFoundError
from lakehouse.embedded.dremio.jobs import Jobs
from lakehouse.embedded.dremio.rest.ids import dataset_id
from lakehouse.embedded.dremio.sql.types import dremio_type

if TYPE_CHECKING:
    from lakehouse.embedded.dremio.rest.application import Call

LONG_POLL_SECONDS = 30
PAGE = 500


class JobApi:
    """Statements over REST."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def submit(self, call: Call) -> dict[str, Any]:
        """POST /api/v3/sql {sql, context}."""
        sql = call.body.get("sql")
        if not isinstance(sql, str) or not sql.strip():
            raise BadRequestError("sql is required")
        return {"id": self._jobs.submit(sql, call.user).id}

    def get(self, call: Call) -> dict[str, Any]:
        """GET /api/v3/job/{id}, held open until the job ends: dbt sleeps 0.2 s after every non-final answer."""
        job = self._jobs.get(call.path["id"], LONG_POLL_SECONDS)
        profile = json.loads(job["profile"] or "{}")
        answer: dict[str, Any] = {
            # dbt-dremio polls for ever on CANCELED (it waits for another spelling), so a cancelled job is a failed one.
            "jobState": "FAILED" if job["state"] == "CANCELED" else _shown(job["state"]),
            "queryType": profile.get("query_type", "UI_RUN"),
            "startedAt": iso(job["started_at"]),
            "queryText": job["sql"],
            "queriedDatasets": profile.get("datasets", ""),
            "acceleration": {
                "reflectionRelationships": [
                    {
                        "datasetId": dataset_id(tuple(use["dataset"])),
                        "reflectionId": use["reflection_id"],
                        "relationship": use["relationship"],
                        "reason": use["reason"],
                    }
                    for use in profile.get("reflections", [])
                ]
            },
        }
        if job["ended_at"]:
            answer["endedAt"] = iso(job["ended_at"])
        if job["row_count"] is not None:
            answer["rowCount"] = job["row_count"]
        if job["error"]:
            answer["errorMessage"] = job["error"]
        if job["state"] == "CANCELED":
            answer["cancellationReason"] = job["error"]
        return answer

    def results(self, call: Call) -> dict[str, Any]:
        """GET /api/v3/job/{id}/results?offset=&limit=: at most 500 rows a page."""
        job = self._jobs.get(call.path["id"])
        if job["state"] != "COMPLETED":
            raise BadRequestError(
                f"job {job['id']} is {job['state'].lower()}; only a completed job has results"
            )
        offset = call.number("offset", 0, most=2**62)
        table, total = self._jobs.result(job["id"], offset, call.number("limit", 100, most=PAGE))
        schema = [
            {"name": field.name, "type": {"name": _type_name(dremio_type(field.type))}}
            for field in table.schema
        ]
        rows = [{name: _value(value) for name, value in row.items()} for row in table.to_pylist()]
        return {"rowCount": total, "schema": schema, "rows": rows}

    def cancel(self, call: Call) -> None:
        """POST /api/v3/job/{id}/cancel."""
        self._jobs.get(call.path["id"])
        self._jobs.cancel(call.path["id"])

    def reflection(self, call: Call) -> dict[str, Any]:
        """GET /api/v3/job/{id}/reflection/{reflection}: what became of one reflection."""
        for use in self.get(call)["acceleration"]["reflectionRelationships"]:
            if use["reflectionId"] == call.path["reflection"]:
                return dict(use)
        raise NotFoundError(f"reflection {call.path['reflection']} was not considered by that job")


def _shown(state: str) -> str:
    return "RUNNING" if state == "PENDING" else state


def _type_name(name: str) -> str:
    base = name.split("(", maxsplit=1)[0]
    return {"CHARACTER VARYING": "VARCHAR", "BINARY VARYING": "VARBINARY"}.get(base, base)


def _value(value: Any) -> Any:
    """JSON as Dremio writes it: exact decimals and temporal values as text, bytes in base64."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
    if isinstance(value, time):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, dict):
        return {key: _value(item) for key, item in value.items()}
    return value
