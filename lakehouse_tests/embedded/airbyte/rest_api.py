"""A small REST and GraphQL API in this process: paged, filtered by `since`, one page may be made to wait."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 100


class RestApi:
    """`items` in the order of `updated_at`; `asked` holds what was asked for."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.holds_page: int | None = None
        self.held = threading.Event()
        self.go_on = threading.Event()

    def add(self, count: int) -> None:
        for number in range(len(self.items), len(self.items) + count):
            moment = f"2026-01-{1 + number // 86_400:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}"
            item = {"id": number, "name": f"item {number}", "updated_at": f"{moment}:{number % 60:02}Z"}
            self.items.append(item)

    def page(self, since: str, number: int) -> list[dict[str, Any]]:
        self.asked.append({"since": since, "page": number})
        if number == self.holds_page:
            self.held.set()
            self.go_on.wait(30)
        newer = [item for item in self.items if item["updated_at"] > since]
        return newer[number * PAGE : (number + 1) * PAGE]

    @contextmanager
    def served(self) -> Iterator[str]:
        """The API's address."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        self.go_on.set()
        server.shutdown()
        server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                if self.headers.get("Authorization") != "Bearer the-key":
                    self._answer({"error": "wrong key"}, 401)
                    return
                self._answer({"items": api.page(query.get("since", ""), int(query.get("page", 0)))})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert "things" in body["query"]
                after = int(body["variables"].get("after") or 0)
                nodes = api.items[after : after + PAGE]
                more = after + PAGE < len(api.items)
                end = str(after + PAGE) if more else None
                self._answer({"data": {"things": {"nodes": nodes, "pageInfo": {"endCursor": end}}}})

            def _answer(self, content: Any, status: int = 200) -> None:
                text = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
