"""A sync against an Airbyte of scripted answers: states that the embedded server never has."""

import json
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lakehouse.defs.ingestion.sync import sync
from lakehouse.errors import PermanentError, ServiceDownError, ServiceRefusedError, TransientError
from lakehouse.settings_sections import AirbyteSettings

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
WORKSPACE = "11111111-1111-1111-1111-111111111111"


class Airbyte:
    """One connection `shop`; a job takes the scripted states one after another."""

    def __init__(
        self,
        *states: str,
        running: str | None = None,
        failures: list[dict[str, Any]] | None = None,
        refused: str = "",
    ) -> None:
        self.states = list(states)
        self.refused = refused
        self.running = running
        self.failures = failures or []
        self.started = self.cancelled = 0

    def answer(self, method: str, path: str) -> Any:
        if path.startswith("/api/public/v1/connections"):
            return {"data": [{"connectionId": "c1", "name": "shop"}]}
        if path.startswith("/api/public/v1/jobs?"):
            old = [{"jobId": 6, "status": self.running, "jobType": "sync"}] if self.running else []
            return {"data": old}
        if method == "POST" and path == "/api/public/v1/jobs" and self.refused:
            return HTTPStatus.CONFLICT, {"status": 409, "title": "conflict", "detail": self.refused}
        if method == "POST" and path == "/api/public/v1/jobs":
            self.started += 1
            return {"jobId": 7, "status": "pending", "jobType": "sync"}
        if method == "DELETE":
            self.cancelled += 1
            return {"jobId": 7, "status": "cancelled", "jobType": "sync"}
        if path.startswith("/api/public/v1/jobs/"):
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return {"jobId": 7, "status": state, "jobType": "sync"}
        stats = {"streamName": "orders", "stats": {"recordsCommitted": 5, "bytesCommitted": 50}}
        attempt = {"streamStats": [stats], "failureSummary": {"failures": self.failures}}
        return {
            "job": {"id": 7, "status": self.states[0], "createdAt": 1},
            "attempts": [{"attempt": attempt}],
        }


@pytest.fixture
def serve() -> Iterator[Any]:
    servers = []

    def start(airbyte: Airbyte) -> AirbyteSettings:
        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                answer = airbyte.answer(self.command, self.path)
                status, answer = answer if isinstance(answer, tuple) else (HTTPStatus.OK, answer)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = _reply  # noqa: N815  names of the standard library

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_port}"
        return AirbyteSettings(url=url, workspace_id=WORKSPACE, user=None, poll_seconds=0.01)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def quiet(_: str) -> None:
    pass


def test_a_queued_job_is_waited_for(serve: Any) -> None:
    airbyte = Airbyte("queued", "pending", "running", "incomplete", "succeeded")
    result = sync(serve(airbyte), "shop", quiet)
    assert (airbyte.started, airbyte.cancelled, result.adopted) == (1, 0, False)
    assert result.report.streams["orders"].rows == 5


@pytest.mark.parametrize("state", ["queued", "running", "incomplete"])
def test_a_running_job_is_adopted(serve: Any, state: str) -> None:
    airbyte = Airbyte("running", "succeeded", running=state)
    assert sync(serve(airbyte), "shop", quiet).adopted
    assert airbyte.started == 0


def test_a_state_that_nobody_knows_is_refused_and_the_job_cancelled(serve: Any) -> None:
    airbyte = Airbyte("queued", "melted")
    with pytest.raises(TransientError, match="job 7 is in an unknown state 'melted'; known are"):
        sync(serve(airbyte), "shop", quiet)


@pytest.mark.parametrize(
    ("kind", "error"), [("config_error", ServiceRefusedError), ("system_error", TransientError)]
)
def test_a_failed_job_carries_airbytes_words(serve: Any, kind: str, error: type[Exception]) -> None:
    failure = {"failureOrigin": "source", "failureType": kind, "externalMessage": "column\n is gone"}
    with pytest.raises(error, match="connection shop, job 7: sync failed: source: column is gone"):
        sync(serve(Airbyte("failed", failures=[failure])), "shop", quiet)


def test_a_run_that_ends_cancels_its_job(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    airbyte = Airbyte("running")
    monkeypatch.setattr("lakehouse.defs.ingestion.sync.time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sync(serve(airbyte), "shop", quiet)
    assert airbyte.cancelled == 1


def test_a_sync_that_airbyte_does_not_start_carries_its_words(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(ServiceRefusedError, match="the connection is inactive"):
        sync(serve(Airbyte(refused="the connection is inactive")), "shop", quiet)


def test_an_unknown_connection_says_how_to_make_it(serve: Any) -> None:
    with pytest.raises(
        PermanentError,
        match="has no connection 'flights'; `lakehouse connections apply` makes the declared ones",
    ):
        sync(serve(Airbyte("succeeded")), "flights", quiet)


def test_airbyte_down_is_one_line() -> None:
    nobody = AirbyteSettings(url="http://127.0.0.1:1", workspace_id=WORKSPACE)
    with pytest.raises(ServiceDownError, match=r"Airbyte at http://127.0.0.1:1: does not answer; start it"):
        sync(nobody, "shop", quiet)
