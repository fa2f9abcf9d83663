"""What Dagster's webserver tells of runs: their events and what their steps printed (GraphQL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lakehouse.clients.http import JsonApi, Service
from lakehouse.errors import ServiceRefusedError, TransientError
from lakehouse.settings_sections import DagsterSettings

FINISHED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_PAGE = 100

_RUNS = """
query Runs($after: Float!, $cursor: String, $limit: Int!) {
  runsOrError(filter: {updatedAfter: $after}, cursor: $cursor, limit: $limit) {
    __typename
    ... on Runs { results { runId status updateTime endTime } }
    ... on PythonError { message }
  }
}"""
_EVENTS = """
query Events($run: ID!, $cursor: String, $limit: Int!) {
  logsForRun(runId: $run, afterCursor: $cursor, limit: $limit) {
    __typename
    ... on PythonError { message }
    ... on EventConnection {
      cursor
      hasMore
      events {
        ... on MessageEvent { message timestamp level stepKey }
        ... on ErrorEvent { error { message stack cause { message } } }
        ... on LogsCapturedEvent { fileKey }
        ... on MaterializationEvent { assetKey { path } partition }
        ... on ObservationEvent { assetKey { path } partition }
        ... on AssetMaterializationPlannedEvent { assetKey { path } }
        ... on FailedToMaterializeEvent { assetKey { path } partition }
      }
    }
  }
}"""
_STATUS = """
query Status($run: ID!) {
  runOrError(runId: $run) { __typename ... on Run { runId status updateTime endTime } }
}"""
_PRINTED = """
query Printed($key: [String!]!, $cursor: String, $limit: Int!) {
  capturedLogs(logKey: $key, cursor: $cursor, limit: $limit) { stdout stderr cursor }
}"""


@dataclass(frozen=True)
class RunState:
    """Where a run is; times are seconds since 1970."""

    run_id: str
    status: str
    updated: float
    ended: float | None


@dataclass(frozen=True)
class Events:
    """Events of a run as GraphQL gives them, and the cursor after them."""

    events: Sequence[dict[str, Any]]
    cursor: str
    more: bool


@dataclass(frozen=True)
class Printed:
    """What came on a step's standard output and error, and the cursor after it."""

    stdout: str
    stderr: str
    cursor: str


class DagsterClient:
    """One webserver. Raises ServiceDownError, TransientError or ServiceRefusedError in every method."""

    def __init__(self, settings: DagsterSettings, *, timeout: float = 30.0) -> None:
        url = f"http://{settings.host}:{settings.port}"
        self._api = JsonApi(Service("Dagster", url), timeout=timeout, error_text=_error_text)

    def runs(self, updated_after: float) -> list[RunState]:
        """Runs that were made or changed their status after that time (seconds since 1970)."""
        found: list[RunState] = []
        cursor: str | None = None
        while True:
            answer = self._ask(_RUNS, after=updated_after, cursor=cursor, limit=_PAGE)["runsOrError"]
            page = [_state(run) for run in answer["results"]]
            found += page
            if len(page) < _PAGE:
                return found
            cursor = page[-1].run_id

    def run(self, run_id: str) -> RunState | None:
        """A run as it is now; None when it was deleted."""
        answer = self._ask(_STATUS, run=run_id)["runOrError"]
        return _state(answer) if answer["__typename"] == "Run" else None

    def events(self, run_id: str, cursor: str | None, limit: int) -> Events | None:
        """The next events of a run; None when it was deleted."""
        answer = self._ask(_EVENTS, run=run_id, cursor=cursor, limit=limit)["logsForRun"]
        if answer["__typename"] == "RunNotFoundError":
            return None
        return Events(answer["events"], answer["cursor"], answer["hasMore"])

    def printed(self, run_id: str, file_key: str, cursor: str | None, most_bytes: int) -> Printed:
        """What a step printed after the cursor, at most so much of each stream."""
        key = [run_id, "compute_logs", file_key]
        answer = self._ask(_PRINTED, key=key, cursor=cursor, limit=most_bytes)["capturedLogs"]
        return Printed(answer["stdout"] or "", answer["stderr"] or "", answer["cursor"] or cursor or "")

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _ask(self, query: str, **variables: Any) -> Any:
        answer = self._api.call("POST", "/graphql", json={"query": query, "variables": variables})
        where = f"Dagster at {self._api.service.url}"
        if answer.get("errors"):
            raise ServiceRefusedError(f"refused a query: {answer['errors'][0].get('message')}", where=where)
        for part in answer["data"].values():
            if isinstance(part, dict) and part.get("__typename") == "PythonError":
                raise TransientError(f"could not answer: {part['message']}", where=where)
        return answer["data"]


def _state(run: dict[str, Any]) -> RunState:
    return RunState(run["runId"], run["status"], run["updateTime"] or 0.0, run["endTime"])


def _error_text(body: Any) -> str | None:
    errors = body.get("errors") if isinstance(body, dict) else None
    return errors[0].get("message") if errors else None
