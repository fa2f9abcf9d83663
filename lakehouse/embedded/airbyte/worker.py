"""One job in a process of its own: `python -m lakehouse.embedded.airbyte.worker HOME`.

The job comes as a line of JSON on standard input: its number, the file of its log, and whether to acknowledge it with
an empty line on standard output before anything else. The process may be started before there is a job. The server
holds the other end; when that closes, the server is gone and so is this process with all it started.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from lakehouse.embedded.airbyte.attempts import is_finished, report_failure
from lakehouse.embedded.airbyte.catalog import configured_streams
from lakehouse.embedded.airbyte.clock import epoch_ms, iso_moment
from lakehouse.embedded.airbyte.connectors.registry import BUILT_IN, Registry
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, LogOptions
from lakehouse.embedded.airbyte.extraction import extract_directly, extract_log, extract_over_protocol
from lakehouse.embedded.airbyte.landing.configuration import S3Configuration
from lakehouse.embedded.airbyte.landing.target import landing_target
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.refreshes import clear, end_refresh, minimum_generation
from lakehouse.embedded.airbyte.schedules import schedule_of
from lakehouse.embedded.airbyte.schema_refresh import follow_schema
from lakehouse.embedded.airbyte.store import JobEndedError, Row, Store
from lakehouse.embedded.airbyte.stream_sync import StreamSync, Sync
from lakehouse.embedded.airbyte.tuning import Tuning

_WAIT_SECONDS = 600
"""How long a process that has no job stays: a hundred megabytes of a laptop."""


def main(arguments: list[str] | None = None) -> int:
    """Waits for a job, runs it to its end and records the outcome; the exit code is 0 whenever that is recorded."""
    parser = argparse.ArgumentParser(description="Runs one sync job.")
    parser.add_argument("home", type=Path)
    parser.add_argument(
        "--connectors", type=json.loads, default={}, help="further source commands by type, JSON"
    )
    parser.add_argument("--protocol-only", action="store_true", help="no direct Arrow reads")
    Tuning.add_arguments(parser)
    options = parser.parse_args(arguments)
    store, connectors = Store(options.home), Registry(options.connectors, options.home)
    used = {row["type"] for row in store.rows("SELECT DISTINCT type FROM actors WHERE kind = 'source'")}
    for connector in BUILT_IN:
        if connector.type in used:
            connector.load()
    job_id = _given_job()
    if job_id is None:
        return 0
    threading.Thread(target=_die_with_server, daemon=True).start()
    try:
        tuning = Tuning.of_options(options)
        _run(store, job_id, connectors, options.home, tuning, direct=not options.protocol_only)
    except JobEndedError as ended:
        log("WARN", str(ended))
    except ConnectorError as error:
        log("ERROR", f"{error}\n{error.detail}".strip())
        report_failure(store, job_id, failure(str(error), error.origin, error.kind, error.detail))
    except OSError as error:
        problem = f"cannot write landing files: {error.strerror or error}"
        problem += f" ({error.filename})" if error.filename else ""
        log("ERROR", traceback.format_exc())
        report_failure(store, job_id, failure(problem, "destination", "system_error"))
    except Exception as error:  # noqa: BLE001 - whatever it is becomes the recorded outcome of the job
        log("ERROR", traceback.format_exc())
        problem = f"{type(error).__name__}: {error}"
        report_failure(
            store,
            job_id,
            failure(problem, "airbyte_platform", "system_error", traceback.format_exc()),
        )
    return 0


def scratch_folder(home: Path) -> Path:
    """Where files that hand secrets to connectors are."""
    return home / "scratch"


def failure(message: str, origin: str, kind: str, detail: str = "") -> dict[str, Any]:
    """A FailureReason of the configuration API; `message` is one line for people."""
    return {
        "failureOrigin": origin,
        "failureType": kind,
        "externalMessage": message,
        "internalMessage": detail or message,
        "timestamp": epoch_ms(),
    }


def log(level: str, text: str) -> None:
    """A line of the job's log."""
    print(f"{iso_moment(epoch_ms())} {level} {text}", file=sys.stderr, flush=True)


def _given_job() -> int | None:
    """The number of the job, once there is one; its log takes what is printed from here on.

    None when the server is gone, or has had no job for long.
    """
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([0], [], [], _WAIT_SECONDS)
        more = os.read(0, 4096) if ready else b""
        if not more:
            return None
        line += more
    order = json.loads(line)
    if order.get("acknowledge"):
        os.write(1, b"\n")
    log_file = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for standard in (1, 2):
        os.dup2(log_file, standard)
    os.close(log_file)
    return int(order["job_id"])


def _die_with_server() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def _run(store: Store, job_id: int, registry: Registry, home: Path, tuning: Tuning, *, direct: bool) -> None:
    job = store.job(job_id)
    if job is None or job["status"] != "running":
        raise JobEndedError(f"job {job_id} is not running")
    connection = _must(
        store.row("SELECT * FROM connections WHERE id = ?", job["connection_id"]), "connection"
    )
    source = _must(store.row("SELECT * FROM actors WHERE id = ?", connection["source_id"]), "source")
    destination = _must(
        store.row("SELECT * FROM actors WHERE id = ?", connection["destination_id"]), "destination"
    )
    configuration = msgspec.convert(destination["configuration"], S3Configuration)
    target = landing_target(configuration)
    sync = Sync(store, target, log, job_id, connection, destination["id"], configuration, job["started_at"])
    if job["type"] in ("clear", "reset"):
        clear(sync)
        store.end_job(job_id, "succeeded")
        return
    connector = registry.source(source["type"])
    if connector is None:
        raise ConnectorError(f"source type {source['type']} is not installed", kind="config_error")
    sync = follow_schema(sync, source["configuration"], connector, scratch_folder(home))
    streams = _streams(sync)
    reader = connector.read_direct if direct else None
    if not streams:
        log("INFO", "every stream has been read")
    elif reader is None:
        extract_over_protocol(sync, connector.command, source["configuration"], streams, scratch_folder(home))
    else:
        read_log = connector.read_log(source["configuration"])
        logged = [stream for stream in streams if read_log is not None and stream.stream.incremental]
        if read_log is not None and logged:
            extract_log(
                sync, read_log, source["configuration"], logged,
                options=_log_options(store, sync, tuning), tuning=tuning,
            )  # fmt: skip
        others = {stream: state for stream, state in streams.items() if stream not in logged}
        extract_directly(reader, source["configuration"], others, tuning)
    target.discard(job_id, ())
    with store.transaction():  # a refresh that follows at once has minimum generations of its own
        if store.end_job(job_id, "succeeded"):
            end_refresh(store, connection["id"])


def _log_options(store: Store, sync: Sync, tuning: Tuning) -> LogOptions:
    """With a continuous schedule the log is waited on, so that a change lands in a second and not in a job's start."""
    schedule = schedule_of(store, sync.connection["id"])
    follow = schedule is not None and schedule.is_continuous
    tail_until = sync.started_ms / 1000 + _TAIL_SECONDS if follow else None
    return LogOptions(tail_until, batch_rows=tuning.batch_size, connections=tuning.threads)


_TAIL_SECONDS = 300


def _streams(sync: Sync) -> dict[StreamSync, Mapping[str, Any] | None]:
    """The selected streams, each with the state an incremental read goes on from."""
    states: dict[StreamSync, Mapping[str, Any] | None] = {}
    for selected in configured_streams(sync.connection["catalog"]):
        if not selected.incremental and is_finished(sync.store, sync.job_id, selected):
            log("INFO", f"stream {selected.name}: an earlier attempt of this job has read it")
            continue
        stream, state = _begin(sync.store, sync, selected)
        states[StreamSync(sync, stream)] = state if stream.incremental else None
    return states


def _begin(
    store: Store, sync: Sync, stream: ConfiguredStream
) -> tuple[ConfiguredStream, Mapping[str, Any] | None]:
    place = (sync.connection["id"], stream.namespace or "", stream.name)
    kept = store.next_generation(*place, new=not stream.incremental)
    generation: int = kept["generation_id"]
    minimum = generation if stream.destination_sync_mode == "overwrite" else 0
    minimum = max(minimum, minimum_generation(store, place[0], place[1:]))
    return replace(stream, generation_id=generation, minimum_generation_id=minimum), kept["state"]


def _must(row: Row | None, what: str) -> Row:
    if row is None:
        raise ConnectorError(f"the {what} of this job has been deleted", origin="airbyte_platform")
    return row


if __name__ == "__main__":
    sys.exit(main())
