"""Dremio: SQL over Arrow Flight and over REST, the catalogue, reflections and job profiles.

Protocols: Arrow Flight with basic authentication (port 32010) and Dremio's REST API v3 (port 9047).
Nothing here knows which Dremio it talks to.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from lakehouse.clients.flight import FlightSql, password_of
from lakehouse.clients.http import JsonApi, Service, one_line
from lakehouse.errors import ServiceRefusedError, TransientError
from lakehouse.settings_sections import DremioSettings

if TYPE_CHECKING:
    import pyarrow as pa

FINAL_STATES = frozenset({"COMPLETED", "FAILED", "CANCELED", "CANCELLED"})
RESULTS_PAGE = 500  # the most rows that /job/{id}/results gives at once
_ALREADY_EXISTS = re.compile(r"already exists", re.IGNORECASE)


@dataclass(frozen=True)
class ReflectionUse:
    """How the planner regarded one reflection for one job."""

    reflection_id: str
    relationship: str
    """CONSIDERED, MATCHED or CHOSEN."""
    reason: str = ""
    """Why it was not chosen, where the server says so."""


@dataclass(frozen=True)
class Job:
    """A finished job (`GET /api/v3/job/{id}`)."""

    id: str
    row_count: int | None
    seconds: float
    acceleration: tuple[ReflectionUse, ...] = ()

    def uses(self, reflection_id: str) -> ReflectionUse | None:
        """What became of that reflection in this job."""
        return next((use for use in self.acceleration if use.reflection_id == reflection_id), None)


@dataclass(frozen=True)
class ReflectionState:
    """A reflection as the server has it (`GET /api/v3/reflection/{id}`)."""

    id: str
    name: str
    dataset_id: str
    tag: str | None
    enabled: bool
    status: str
    """Combined status, such as CAN_ACCELERATE."""
    refresh: str
    """Refresh status, such as MANUAL, SCHEDULED, RUNNING or GIVEN_UP."""
    problem: str
    last_refresh: str | None
    """Time of the newest data it holds, as the server writes it."""
    rows: int
    size_bytes: int
    definition: dict[str, Any] = field(repr=False)


class DremioClient:
    """One Dremio, one user. Logs in when first needed and keeps the tokens; usable as a context manager.

    `timeout` is how many seconds an answer over REST may take.
    """

    def __init__(self, settings: DremioSettings, *, timeout: float = 120.0) -> None:
        self.settings = settings
        service = Service(
            name="Dremio",
            url=settings.url,
            credentials=f"check user {settings.user!r} and LAKEHOUSE_DREMIO__PASSWORD",
        )
        self._api = JsonApi(
            service,
            auth=_TokenAuth(settings),
            timeout=timeout,
            error_text=lambda body: body.get("errorMessage"),
        )
        self._flight = FlightSql(settings)

    def __enter__(self) -> DremioClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._api.close()
        self._flight.close()

    # --- SQL over Arrow Flight

    def query(self, sql: str) -> pa.Table:
        """The whole result of a query.

        Raises:
            ServiceDownError, ServiceRefusedError, TransientError: see `FlightSql.reader`.
        """
        return self._flight.query(sql)

    def reader(self, sql: str) -> AbstractContextManager[pa.RecordBatchReader]:
        """The result as a stream of Arrow batches; see `FlightSql.reader`."""
        return self._flight.reader(sql)

    def count(self, *path: str) -> int:
        """How many rows a dataset has."""
        answer = self.query(f"SELECT COUNT(*) AS n FROM {quoted(*path)}")  # noqa: S608  the path is quoted
        return int(answer["n"][0].as_py())

    # --- SQL over REST

    def execute(self, sql: str, *, timeout: float = 600.0) -> Job:
        """Run a statement to its end (`POST /api/v3/sql`, then `GET /api/v3/job/{id}`); `timeout` in seconds.

        Raises:
            ServiceRefusedError: the statement failed or was cancelled; carries Dremio's message.
            TransientError: it did not end in time.
        """
        job_id = self._api.call("POST", "/api/v3/sql", json={"sql": sql})["id"]
        return self._finished(job_id, sql, timeout)

    def rows(self, sql: str, *, timeout: float = 600.0) -> list[dict[str, Any]]:
        """The result of a query as REST gives it (JSON values), fetched in pages. Raises as `execute` does."""
        job = self.execute(sql, timeout=timeout)
        rows: list[dict[str, Any]] = []
        while True:
            page = self._api.get(
                f"/api/v3/job/{job.id}/results", params={"offset": len(rows), "limit": RESULTS_PAGE}
            )
            rows += page["rows"]
            if not page["rows"] or len(rows) >= page["rowCount"]:
                return rows

    def chosen_reflections(self, job_id: str) -> list[str]:
        """The ids of the reflections that a job was answered from (`GET /api/v3/job/{id}`)."""
        relationships = _relationships(self._api.get(f"/api/v3/job/{job_id}"))
        return [use.reflection_id for use in relationships if use.relationship == "CHOSEN"]

    def _finished(self, job_id: str, sql: str, timeout: float) -> Job:
        started = time.monotonic()
        pause = 0.02
        while True:
            job = self._api.get(f"/api/v3/job/{job_id}")
            seconds = time.monotonic() - started
            if job["jobState"] in FINAL_STATES:
                break
            if seconds > timeout:
                self._api.call("POST", f"/api/v3/job/{job_id}/cancel")
                raise TransientError(
                    f"job {job_id} did not end in {timeout:g} s and was cancelled: {one_line(sql, 120)}",
                    where=f"Dremio at {self.settings.url}",
                )
            time.sleep(pause)
            pause = min(pause * 1.6, 1.0)
        if job["jobState"] != "COMPLETED":
            text = job.get("errorMessage") or job.get("cancellationReason") or job["jobState"]
            raise ServiceRefusedError(
                one_line(text), where=f"Dremio at {self.settings.url}, `{one_line(sql, 120)}`"
            )
        return Job(job_id, job.get("rowCount"), seconds, _relationships(job))

    # --- catalogue

    def by_path(self, *path: str) -> dict[str, Any] | None:
        """The catalogue entity at that path, None when there is none (`GET /api/v3/catalog/by-path/...`)."""
        found = self._api.get(
            "/api/v3/catalog/by-path/" + "/".join(quote(part, safe="") for part in path), missing_ok=True
        )
        return dict(found) if found else None

    def ensure_source(self, name: str, source_type: str, config: dict[str, Any]) -> bool:
        """Make sure a source of that name and type is there; True when it was created now.

        Raises:
            ServiceRefusedError: a source of that name has another type or other addresses.
        """
        existing = self.by_path(name)
        if existing is None:
            body = {"entityType": "source", "name": name, "type": source_type, "config": config}
            return self._created(body)
        for key, wanted in [("type", source_type), *config.items()]:
            have = existing.get("type") if key == "type" else existing.get("config", {}).get(key)
            if isinstance(wanted, str) and isinstance(have, str) and have != wanted:
                raise ServiceRefusedError(
                    f"source {name!r} exists with {key} {have!r} instead of {wanted!r}",
                    where=f"Dremio at {self.settings.url}",
                    remedy="drop it in Dremio, or point the LAKEHOUSE_ settings at the same lake",
                )
        return False

    def ensure_folder(self, *path: str) -> bool:
        """Make sure a folder is there; True when it was created now."""
        if self.by_path(*path) is not None:
            return False
        return self._created({"entityType": "folder", "path": list(path)})

    def _created(self, body: dict[str, Any]) -> bool:
        try:
            self._api.call("POST", "/api/v3/catalog", json=body)
        except ServiceRefusedError as error:
            if _ALREADY_EXISTS.search(error.problem) or "(409)" in error.problem:
                return False  # somebody else was faster
            raise
        return True

    # --- reflections

    def reflections(self, dataset_id: str) -> list[ReflectionState]:
        """The reflections of a dataset (`GET /api/v3/dataset/{id}/reflection`)."""
        answer = self._api.get(f"/api/v3/dataset/{quote(dataset_id, safe='')}/reflection")
        return [_reflection_state(item) for item in answer["data"]]

    def reflection(self, reflection_id: str) -> ReflectionState | None:
        """One reflection, None when it is gone (`GET /api/v3/reflection/{id}`)."""
        found = self._api.get(f"/api/v3/reflection/{reflection_id}", missing_ok=True)
        return _reflection_state(found) if found else None

    def create_reflection(self, definition: dict[str, Any]) -> ReflectionState:
        """`POST /api/v3/reflection`."""
        return _reflection_state(self._api.call("POST", "/api/v3/reflection", json=definition))

    def update_reflection(self, state: ReflectionState, definition: dict[str, Any]) -> ReflectionState:
        """Replace a definition (`PUT /api/v3/reflection/{id}`)."""
        body = {**definition, "id": state.id, "tag": state.tag}
        return _reflection_state(self._api.call("PUT", f"/api/v3/reflection/{state.id}", json=body))

    def delete_reflection(self, reflection_id: str) -> None:
        """`DELETE /api/v3/reflection/{id}`; one that is gone already is fine."""
        self._api.call("DELETE", f"/api/v3/reflection/{reflection_id}", missing_ok=True)

    def refresh_reflections(self, dataset_id: str) -> None:
        """Ask for a refresh of every reflection of a table (`POST /api/v3/catalog/{id}/refresh`)."""
        self._api.call("POST", f"/api/v3/catalog/{quote(dataset_id, safe='')}/refresh")


def quoted(*path: str) -> str:
    """A path as SQL: `"lake"."gold"."fct_orders"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in path)


def _relationships(job: dict[str, Any]) -> tuple[ReflectionUse, ...]:
    told = (job.get("acceleration") or {}).get("reflectionRelationships") or []
    return tuple(ReflectionUse(r["reflectionId"], r["relationship"], r.get("reason") or "") for r in told)


def _reflection_state(item: dict[str, Any]) -> ReflectionState:
    status = item.get("status") or {}
    failure = status.get("lastFailureMessage") or (status.get("lastFailure") or {}).get("message") or ""
    return ReflectionState(
        id=item["id"],
        name=item["name"],
        dataset_id=item["datasetId"],
        tag=item.get("tag"),
        enabled=item.get("enabled", True),
        status=status.get("combinedStatus", "UNKNOWN"),
        refresh=status.get("refresh", "UNKNOWN"),
        problem=one_line(failure),
        last_refresh=status.get("lastDataFetch"),
        rows=int(item.get("outputRecords") or 0),
        size_bytes=int(item.get("currentSizeBytes") or 0),
        definition=item,
    )


def _error_text(body: Any) -> str | None:
    return body.get("errorMessage") if isinstance(body, dict) else None


class _TokenAuth(httpx.Auth):
    """`POST /apiv2/login`, then `Authorization: _dremio{token}`; an expired token is replaced once."""

    requires_response_body = True

    def __init__(self, settings: DremioSettings) -> None:
        self._settings = settings
        self._token: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        for fresh in (False, True):
            if self._token is None or fresh:
                answer = yield httpx.Request(
                    "POST",
                    f"{self._settings.url}/apiv2/login",
                    json={"userName": self._settings.user, "password": password_of(self._settings)},
                    extensions=request.extensions,
                )
                if answer.is_error:
                    return
                self._token = answer.json()["token"]
            request.headers["Authorization"] = f"_dremio{self._token}"
            response = yield request
            if response.status_code != 401:
                return
