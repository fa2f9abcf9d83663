"""An HTTP receiver that can be down, or refuse, for a while."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lakehouse.embedded.ports import free_port


@dataclass
class Receiver:
    """Keeps what it was sent; `status` is what it answers."""

    port: int = field(default_factory=free_port)
    bodies: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    seconds: float = 0
    """How long it takes to answer, after it has read."""
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def told(self) -> list[tuple[str, str]]:
        """(status, name and subject) of every alert of every body, in order."""
        return [
            (alert["status"], f"{alert['labels']['alertname']}/{alert['labels']['subject']}")
            for body in self.bodies
            for alert in body["alerts"]
        ]

    def start(self) -> Receiver:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                self._answer(json.loads(body))

            def do_GET(self) -> None:
                self._answer(None)

            def _answer(self, body: Any) -> None:
                receiver.paths.append(self.path)
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                if receiver.status == 200 and body is not None:
                    receiver.bodies.append(body)
                time.sleep(receiver.seconds)
                self.send_response(receiver.status)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
