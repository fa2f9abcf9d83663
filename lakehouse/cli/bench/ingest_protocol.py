"""Records over the Airbyte protocol into landing files, beside only reading and decoding the same lines."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

from lakehouse.cli.bench.result import Result, at_least

RECORDS = 200_000
GOAL_PER_CORE = 120_000.0  # records a second
_RUNS = 3


def protocol(scratch: Path) -> list[Result]:
    """Replays a file of faker-like user records through the worker's read; the source itself costs nothing.

    Figures are records per second of CPU time of this process, the best of three runs: the first one pays for
    what a process does once.
    """
    messages = scratch / "messages.jsonl"
    _write_messages(messages)
    ceiling = RECORDS / min(_decode_only(messages) for _ in range(_RUNS))
    speed = RECORDS / min(_sync(scratch / f"home-{run}", messages) for run in range(_RUNS))
    unit = "records/s/core"
    return [
        at_least("ingest.protocol", speed, GOAL_PER_CORE, goal=1.0, of="the goal", unit=unit),
        at_least("ingest.protocol.ceiling", speed, ceiling, goal=0.1, of="decoding the lines", unit=unit),
    ]


_TEXTS = (
    "name", "title", "gender", "nationality", "occupation", "telephone", "language", "academic_degree",
    "blood_type", "email",
)  # fmt: skip
_MOMENTS = ("created_at", "updated_at")


def _schema() -> dict[str, Any]:
    moment = {"type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone"}
    properties: dict[str, Any] = {"id": {"type": "integer"}, "age": {"type": "integer"}}
    properties |= {name: {"type": "string"} for name in _TEXTS}
    properties |= {"height": {"type": "number"}, "weight": {"type": "integer"}}
    return {"type": "object", "properties": properties | dict.fromkeys(_MOMENTS, moment)}


def _write_messages(path: Path) -> None:
    with path.open("w") as file:
        for number in range(RECORDS):
            data: dict[str, Any] = {"id": number, "age": number % 90}
            data |= {name: f"{name} {number % 977} of somebody" for name in _TEXTS}
            data |= {"height": 1 + number % 100 / 100, "weight": number % 120}
            seconds = f"{number // 60 % 60:02}:{number % 60:02}"
            data |= dict.fromkeys(_MOMENTS, f"2026-05-06T07:{seconds}+00:00")
            record = {"stream": "users", "data": data, "emitted_at": 1_795_386_090_728 + number}
            file.write(json.dumps({"type": "RECORD", "record": record}, separators=(",", ":")) + "\n")


def _decode_only(messages: Path) -> float:
    """CPU seconds to read the lines from the same pipe and decode their envelopes."""
    from lakehouse.embedded.airbyte.messages import decode

    started = time.process_time()
    with subprocess.Popen(["cat", str(messages)], stdout=subprocess.PIPE, bufsize=2**20) as process:
        for line in process.stdout or ():
            decode(line)
    return time.process_time() - started


def _sync(scratch: Path, messages: Path) -> float:
    """CPU seconds of a whole read into landing files, in a home of its own."""
    from lakehouse.embedded.airbyte.clock import epoch_ms
    from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
    from lakehouse.embedded.airbyte.extraction import extract_over_protocol
    from lakehouse.embedded.airbyte.landing.configuration import ParquetFormat, S3Configuration
    from lakehouse.embedded.airbyte.landing.target import landing_target
    from lakehouse.embedded.airbyte.store import Store
    from lakehouse.embedded.airbyte.stream_sync import StreamSync, Sync

    scratch.mkdir()
    store = Store(scratch)
    store.create_schema()
    now = epoch_ms()
    job = {"connection_id": "c", "workspace_id": "w", "destination_id": "d", "type": "sync"}
    job_id = store.insert("jobs", job | {"status": "running", "created_at": now, "updated_at": now})
    destination = S3Configuration(
        s3_bucket_name="lake",
        s3_bucket_path="landing",
        s3_endpoint=scratch.as_uri(),
        format=ParquetFormat("Parquet", "SNAPPY"),
    )
    connection = {"id": "c", "namespace_definition": "source", "namespace_format": "", "prefix": ""}
    sync = Sync(
        store, landing_target(destination), lambda *_: None, job_id, connection, "d", destination, now
    )
    stream = ConfiguredStream("users", None, _schema(), "full_refresh", "append", (), ())
    # A connector is handed the verb and the files of a read as well, which `sh -c` leaves unread.
    command = ["sh", "-c", f"exec cat {shlex.quote(str(messages))}"]
    started = time.process_time()
    extract_over_protocol(sync, command, {}, {StreamSync(sync, stream): None}, scratch)
    seconds = time.process_time() - started
    store.close()
    return seconds
