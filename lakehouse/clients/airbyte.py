"""Airbyte: sources, destinations and connections through the public API, job statistics through the
configuration API.

Protocols: `<url>/api/public/v1` (the API of Airbyte's SDKs and Terraform provider) and, for what the public
API does not tell about a job, `POST <url>/api/v1/jobs/get`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from lakehouse.clients.airbyte_auth import PUBLIC, auth_of
from lakehouse.clients.http import JsonApi, Service, one_line
from lakehouse.errors import ConfigurationError, PermanentError, TransientError
from lakehouse.settings_sections import AirbyteSettings

PAGE = 100
ASKING_SECONDS = 600.0  # a connector is started to answer, perhaps for the first time

UNFINISHED = frozenset({"pending", "queued", "running", "incomplete"})
"""`incomplete` is a failed attempt that Airbyte will repeat; `queued` is unknown to dagster-airbyte 0.29."""
FINISHED = frozenset({"succeeded", "failed", "cancelled", "error"})

Kind = Literal["sources", "destinations", "connections"]
_ID_OF: dict[Kind, str] = {
    "sources": "sourceId",
    "destinations": "destinationId",
    "connections": "connectionId",
}


@dataclass(frozen=True)
class Job:
    """A job of a connection, from `GET /jobs`; of one connection at most one is unfinished."""

    id: int
    type: str
    """`sync`, `refresh`, `clear` or `reset`."""
    status: str
    started: datetime

    @property
    def finished(self) -> bool:
        """Whether it has ended, well or not.

        Raises:
            TransientError: Airbyte gives a state that nobody knows.
        """
        if self.status not in UNFINISHED | FINISHED:
            known = ", ".join(sorted(UNFINISHED | FINISHED))
            raise TransientError(
                f"Airbyte job {self.id} is in an unknown state {self.status!r}; known are {known}"
            )
        return self.status in FINISHED


@dataclass(frozen=True)
class UpdatedJob:
    """A job that was made or went on since some moment, from `GET /jobs`."""

    id: int
    type: str
    status: str
    connection_id: str
    updated: datetime
    rows: int | None
    bytes: int | None


@dataclass(frozen=True)
class StreamStats:
    rows: int
    bytes: int


@dataclass(frozen=True)
class JobReport:
    """What a sync did, from `POST /api/v1/jobs/get`; of a job that runs, what it has done so far."""

    job_id: int
    status: str
    started: datetime | None
    updated: datetime | None
    """Its end, when it has ended."""
    streams: dict[str, StreamStats]
    """By stream name, summed over the attempts."""
    failure: str
    """The newest attempt's failures in one line; empty when there are none."""
    permanent: bool
    """Whether Airbyte calls it a configuration error, which no repetition mends."""


class AirbyteClient:
    """One Airbyte workspace; usable as a context manager. `timeout` is how many seconds an answer may take."""

    def __init__(self, settings: AirbyteSettings, *, timeout: float = 60.0) -> None:
        self.settings = settings
        credentials = (
            "check LAKEHOUSE_AIRBYTE__CLIENT_ID and LAKEHOUSE_AIRBYTE__CLIENT_SECRET"
            if settings.client_id
            else f"check user {settings.user!r} and LAKEHOUSE_AIRBYTE__PASSWORD"
        )
        service = Service(name="Airbyte", url=settings.url, credentials=credentials)
        self._api = JsonApi(service, auth=auth_of(settings), timeout=timeout, error_text=_error_text)

    def __enter__(self) -> AirbyteClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self._api.close()

    @cached_property
    def workspace_id(self) -> str:
        """The configured workspace, else the only one there is.

        Raises:
            ConfigurationError: none is configured and the server has none or several.
        """
        if self.settings.workspace_id:
            return self.settings.workspace_id
        workspaces = self._api.get(f"{PUBLIC}/workspaces", params={"limit": PAGE})["data"]
        if len(workspaces) != 1:
            names = ", ".join(f"{w['name']} ({w['workspaceId']})" for w in workspaces) or "none"
            raise ConfigurationError(
                f"Airbyte at {self.settings.url} has not exactly one workspace",
                where="LAKEHOUSE_AIRBYTE__WORKSPACE_ID",
                remedy=f"set it to one of: {names}",
            )
        return str(workspaces[0]["workspaceId"])

    def list(self, kind: Kind) -> list[dict[str, Any]]:
        """Everything of that kind in the workspace (`GET /{kind}`)."""
        found: dict[str, dict[str, Any]] = {}
        while True:
            params = {"workspaceIds": self.workspace_id, "limit": PAGE, "offset": len(found)}
            page = self._api.get(f"{PUBLIC}/{kind}", params=params)["data"]
            before = len(found)
            found |= {item[_ID_OF[kind]]: item for item in page}
            if len(page) < PAGE or len(found) == before:
                return list(found.values())

    def find(self, kind: Kind, name: str) -> dict[str, Any] | None:
        """The one of that name, None when there is none.

        Raises:
            ConfigurationError: several have that name; a connection is known by its name here.
        """
        found = [item for item in self.list(kind) if item["name"] == name]
        if len(found) > 1:
            ids = ", ".join(item[_ID_OF[kind]] for item in found)
            raise ConfigurationError(
                f"{len(found)} {kind} are named {name!r}",
                where=f"Airbyte at {self.settings.url}",
                remedy=f"names must be unique: delete or rename all but one of {ids}",
            )
        return found[0] if found else None

    def create(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        """`POST /{kind}`; the workspace is filled in."""
        workspace = {} if kind == "connections" else {"workspaceId": self.workspace_id}
        return dict(self._api.call("POST", f"{PUBLIC}/{kind}", json={**workspace, **body}))

    def patch(self, kind: Kind, id_: str, body: dict[str, Any]) -> dict[str, Any]:
        """`PATCH /{kind}/{id}`."""
        return dict(self._api.call("PATCH", f"{PUBLIC}/{kind}/{id_}", json=body))

    def delete(self, kind: Kind, id_: str) -> None:
        """`DELETE /{kind}/{id}`."""
        self._api.call("DELETE", f"{PUBLIC}/{kind}/{id_}")

    def check_source(self, source_id: str) -> str | None:
        """Why the source cannot be read, as its connector says; None when it can (`sources/check_connection`)."""
        answer = self._api.call(
            "POST", "/api/v1/sources/check_connection", json={"sourceId": source_id}, timeout=ASKING_SECONDS
        )
        if answer["status"] == "succeeded":
            return None
        return one_line(answer.get("message") or "the connector gives no reason")

    def discover(self, source_id: str) -> Sequence[dict[str, Any]]:
        """The source's streams, as it is now (`sources/discover_schema`): name, jsonSchema, keys, sync modes.

        Raises:
            ServiceRefusedError: the connector cannot tell; carries its reason.
        """
        answer = self._api.call(
            "POST",
            "/api/v1/sources/discover_schema",
            json={"sourceId": source_id, "disable_cache": True},
            timeout=ASKING_SECONDS,
        )
        return [entry["stream"] for entry in answer["catalog"]["streams"]]

    def connection(self, name: str) -> dict[str, Any]:
        """The connection of that name.

        Raises:
            PermanentError: there is none.
        """
        found = self.find("connections", name)
        if found is None:
            raise PermanentError(
                f"has no connection {name!r}",
                where=f"Airbyte at {self.settings.url}",
                remedy="`lakehouse connections apply` makes the declared ones",
            )
        return found

    def jobs(self, connection_id: str, since: datetime | None = None) -> Sequence[Job]:
        """The jobs of a connection that were created at `since` or later, oldest first (`GET /jobs`).

        Without `since` only the newest hundred.
        """
        found: dict[int, Job] = {}
        params = {"connectionId": connection_id, "limit": PAGE, "orderBy": "createdAt|DESC"}
        if since is not None:
            params |= {"orderBy": "createdAt|ASC", "createdAtStart": since.isoformat()}
        while True:
            page = self._api.get(f"{PUBLIC}/jobs", params={**params, "offset": len(found)})["data"]
            before = len(found)
            found |= {int(job["jobId"]): _job(job) for job in page}
            if since is None or len(page) < PAGE or len(found) == before:
                return [found[id_] for id_ in sorted(found)]

    def updated_jobs(self, since: datetime) -> Sequence[UpdatedJob]:
        """The workspace's jobs that were updated at `since` or later, the longest unchanged first (`GET /jobs`)."""
        found: dict[int, UpdatedJob] = {}
        params = {
            "workspaceIds": self.workspace_id, "updatedAtStart": since.isoformat(), "orderBy": "updatedAt|ASC",
            "limit": PAGE,
        }  # fmt: skip
        offset = 0
        while True:
            page = self._api.get(f"{PUBLIC}/jobs", params={**params, "offset": offset})["data"]
            found |= {int(job["jobId"]): _updated_job(job) for job in page}
            offset += len(page)
            if len(page) < PAGE:
                return list(found.values())

    def job_log(self, job_id: int) -> Sequence[str]:
        """What a job has logged so far, attempt after attempt (`POST /api/v1/jobs/get`).

        Airbyte gives lines, or from 1.4 on events with time stamp, level and message, which become such lines.
        """
        answer = self._api.call("POST", "/api/v1/jobs/get", json={"id": job_id})
        lines: list[str] = []
        for attempt in answer.get("attempts") or []:
            logs = attempt.get("logs") or {}
            lines += logs.get("logLines") or []
            for event in logs.get("events") or []:
                at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds")
                lines.append(f"{at} {event.get('level', 'INFO')} {event.get('message', '')}")
        return lines

    def start_sync(self, connection_id: str) -> int:
        """Starts a sync; its job's id (`POST /jobs`)."""
        body = {"connectionId": connection_id, "jobType": "sync"}
        return int(self._api.call("POST", f"{PUBLIC}/jobs", json=body)["jobId"])

    def log_state(self, connection_id: str) -> dict[str, Any]:
        """Where a log-based connection stands, as its source keeps it (`POST /api/v1/state/get`); else empty."""
        return dict((self._global_state(connection_id) or {}).get("sharedState") or {})

    def log_streams(self, connection_id: str) -> set[str] | None:
        """The streams of which a log-based connection keeps a state; None when it keeps none of its log."""
        state = self._global_state(connection_id)
        if state is None:
            return None
        return {stream["streamDescriptor"]["name"] for stream in state.get("streamStates") or []}

    def state(self, connection_id: str) -> dict[str, Any] | None:
        """The whole state of a connection, as Airbyte gives it (`POST /api/v1/state/get`); None when there is none."""
        answer = dict(self._api.call("POST", "/api/v1/state/get", json={"connectionId": connection_id}))
        return None if answer.get("stateType") in (None, "not_set") else answer

    def _global_state(self, connection_id: str) -> dict[str, Any] | None:
        return (self.state(connection_id) or {}).get("globalState")

    def job_report(self, job_id: int) -> JobReport:
        """Rows, bytes and failure of a job (`POST /api/v1/jobs/get`)."""
        answer = self._api.call("POST", "/api/v1/jobs/get", json={"id": job_id})
        attempts = [item["attempt"] for item in answer.get("attempts") or []]
        # What is emitted is landed for certain only when the job has succeeded.
        emitted = answer["job"]["status"] == "succeeded"
        streams: dict[str, StreamStats] = {}
        for attempt in attempts:
            for stream in attempt.get("streamStats") or []:
                stats, sofar = stream.get("stats") or {}, streams.get(stream["streamName"], StreamStats(0, 0))
                rows = stats.get("recordsCommitted", stats.get("recordsEmitted") if emitted else 0) or 0
                size = stats.get("bytesCommitted", stats.get("bytesEmitted") if emitted else 0) or 0
                streams[stream["streamName"]] = StreamStats(sofar.rows + rows, sofar.bytes + size)
        failures = ((attempts[-1].get("failureSummary") or {}).get("failures") or []) if attempts else []
        return JobReport(
            job_id=job_id,
            status=answer["job"]["status"],
            started=_moment(answer["job"].get("createdAt")),
            updated=_moment(answer["job"].get("updatedAt")),
            streams=streams,
            failure="; ".join(_failure_line(failure) for failure in failures),
            permanent=any(failure.get("failureType") == "config_error" for failure in failures),
        )


def id_of(kind: Kind, item: dict[str, Any]) -> str:
    """The identifier of a source, destination or connection."""
    return str(item[_ID_OF[kind]])


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _job(answer: dict[str, Any]) -> Job:
    started = datetime.fromisoformat(answer["startTime"])
    return Job(int(answer["jobId"]), answer["jobType"], answer["status"], started)


def _updated_job(answer: dict[str, Any]) -> UpdatedJob:
    updated = datetime.fromisoformat(answer.get("lastUpdatedAt") or answer["startTime"])
    return UpdatedJob(
        int(answer["jobId"]), answer["jobType"], answer["status"], answer["connectionId"], updated,
        answer.get("rowsSynced"), answer.get("bytesSynced"),
    )  # fmt: skip


def _failure_line(failure: dict[str, Any]) -> str:
    text = failure.get("externalMessage") or failure.get("internalMessage") or "no message"
    return f"{failure.get('failureOrigin') or 'unknown origin'}: {one_line(text)}"


def _error_text(body: Any) -> str | None:
    if not isinstance(body, dict):
        return None
    return body.get("detail") or body.get("message") or body.get("title")
