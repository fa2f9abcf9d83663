"""A paged REST API through a low-code manifest into landing, beside a bare client that reads the same pages."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import yaml

from lakehouse.cli.bench.laboratory import laboratory
from lakehouse.cli.bench.result import Result, at_least

PAGE = 100
PAGES = 800
ANSWER_SECONDS = 0.05
"""How long the API takes for a page; a public one is rarely quicker."""
_TYPE = "bench-api"


def rest(scale: float) -> list[Result]:
    """80,000 records (times the scale), 100 a page; the API takes 50 ms for one."""
    pages = max(int(PAGES * scale), 1)
    with _api(pages) as url, laboratory() as lab, tempfile.TemporaryDirectory() as folder:
        _install(lab.settings.home / "airbyte", Path(folder))
        started = time.monotonic()
        with httpx.Client(base_url=url) as client:
            for page in range(pages):
                client.get("/records", params={"page": page}).raise_for_status().json()
        bare = PAGE * pages / (time.monotonic() - started)
        stream = {"name": "records", "syncMode": "full_refresh_overwrite"}
        lab.connect("api", {"sourceType": _TYPE, "url": url}, [stream])
        measured = lab.sync("api")
    speed = measured.rows / measured.seconds
    return [
        at_least("ingest.rest", speed, bare, goal=0.8, of="a bare client on the same pages", unit="records/s")
    ]


def _install(home: Path, folder: Path) -> None:
    from lakehouse.embedded.airbyte.connectors.installation import install_manifest

    manifest = folder / "manifest.yaml"
    manifest.write_text(yaml.safe_dump(_MANIFEST))
    install_manifest(home, _TYPE, manifest)


_MANIFEST = {
    "version": "6.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["records"]},
    "streams": [
        {
            "type": "DeclarativeStream",
            "name": "records",
            "primary_key": ["id"],
            "schema_loader": {
                "type": "InlineSchemaLoader",
                "schema": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "integer"},
                        "name": {"type": "string"},
                        "amount": {"type": "number"},
                        "at": {"type": "string", "format": "date-time"},
                    },
                },
            },
            "retriever": {
                "type": "SimpleRetriever",
                "requester": {
                    "type": "HttpRequester",
                    "url_base": "{{ config['url'] }}",
                    "path": "/records",
                    "http_method": "GET",
                },
                "record_selector": {
                    "type": "RecordSelector",
                    "extractor": {"type": "DpathExtractor", "field_path": ["records"]},
                },
                "paginator": {
                    "type": "DefaultPaginator",
                    "page_token_option": {
                        "type": "RequestOption",
                        "inject_into": "request_parameter",
                        "field_name": "page",
                    },
                    "pagination_strategy": {"type": "PageIncrement", "page_size": PAGE},
                },
            },
        }
    ],
    "spec": {
        "type": "Spec",
        "connection_specification": {
            "type": "object",
            "required": ["url"],
            "properties": {"url": {"type": "string"}},
        },
    },
}


@contextmanager
def _api(pages: int) -> Iterator[str]:
    """The API in a process of its own, so that it takes no time from who reads it; gives its address."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    server = spawn.Process(target=_serve, args=(pages, sender), daemon=True)
    server.start()
    try:
        if not receiver.poll(30):
            raise TimeoutError("the API of the benchmark did not start")
        yield str(receiver.recv())
    finally:
        server.terminate()
        server.join()


def _serve(pages: int, started: Connection) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            page = int(parse_qs(urlsplit(self.path).query).get("page", ["0"])[0])
            time.sleep(ANSWER_SECONDS)
            records = [_record(page * PAGE + place) for place in range(PAGE)] if page < pages else []
            body = json.dumps({"records": records}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    started.send(f"http://127.0.0.1:{server.server_address[1]}")
    server.serve_forever()


def _record(number: int) -> dict[str, object]:
    second = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
    return {
        "id": number,
        "name": f"record {number}",
        "amount": number * 1.25,
        "at": f"2026-01-02T{second}Z",
    }
