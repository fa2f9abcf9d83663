"""Connectors that misbehave: each becomes a failed job with the reason in one line, and the server lives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.embedded.airbyte.lines import cut_lines, lines
from lakehouse.embedded.airbyte.messages import MalformedMessageError, Message, decode
from lakehouse.embedded.airbyte.process_tree import MEMORY_BYTES
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, eventually, processes_with, unique

THINGS = [{"name": "things", "syncMode": "full_refresh_append"}]
RECORD = '{"type": "RECORD", "record": {"stream": "things", "data": %s, "emitted_at": %s}}'
LINES = {
    RECORD % ("{}", '"now"'): "sent an invalid RECORD message (Expected `int`, got `str` - at `$.record.emitted_at`)",
    RECORD % ("5", "1"): "sent a record whose data is no object: Expected `object`, got `int`",
    '{"type": "RECORD"}': "sent a RECORD message without `record`",
    '{"type": "STATE", "state": {"type": "STREAM"}}': "sent an invalid STREAM STATE message (Expected `object`, got `null`)",
    '{"type": "STATE", "state": {"type": "GLOBAL", "global": {"stream_states": 1}}}': (
        "sent an invalid GLOBAL STATE message (Expected `array`, got `int`"
    ),
    '{"type": "STATE", "state": 7}': "sent an invalid STATE message",
    '{"type": "TRACE", "trace": {"type": "STREAM_STATUS", "stream_status": {}}}': (
        "sent an invalid STREAM_STATUS TRACE message"
    ),
}  # fmt: skip


@pytest.mark.slow
def test_a_message_that_cannot_be_read_is_never_skipped(airbyte: AirbyteServer) -> None:
    connection = airbyte.connect({"mode": "good"}, "fake", THINGS)
    address = f"{airbyte.public}/sources/{connection.source_id}"
    for line, reason in LINES.items():
        airbyte.call("PATCH", address, json={"configuration": {"mode": "line", "line": line}})
        failure = connection.fail()
        assert failure.startswith(f"the connector {reason}")
        assert "\n" not in failure
    assert connection.files("things") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("half_line", "the connector sent a broken message (Input data was truncated)"),
        ("signal", "connector was killed by SIGSEGV: it printed nothing"),
        ("endless_line", "the connector sent a line of more than 256 MiB"),
    ],
)
def test_an_end_without_an_end_has_a_reason(airbyte: AirbyteServer, mode: str, reason: str) -> None:
    connection = airbyte.connect({"mode": mode}, "fake", THINGS)
    assert connection.fail().startswith(reason)
    assert connection.files("things") == []


@pytest.mark.slow
def test_what_a_connector_writes_to_its_log_is_bounded(airbyte: AirbyteServer) -> None:
    connection = airbyte.connect({"mode": "flood", "mebibytes": 100}, "fake", THINGS)
    job = connection.sync()
    assert connection.records(job) == {"things": 1}
    log = airbyte.home / "logs" / f"job-{job['jobId']}.log"
    assert 64 * 2**20 < log.stat().st_size < 70 * 2**20


@pytest.mark.slow
def test_a_connector_s_memory_is_bounded(airbyte: AirbyteServer) -> None:
    connection = airbyte.connect({"mode": "memory", "bytes": 2 * MEMORY_BYTES}, "fake", THINGS)
    assert connection.fail() == "connector exited with code 1: MemoryError"


@pytest.mark.slow
def test_a_cancelled_job_leaves_no_process_in_any_session(airbyte: AirbyteServer) -> None:
    marker = unique("session-marker")
    connection = airbyte.connect({"mode": "stubborn", "marker": marker}, "fake", THINGS)
    job = connection.start()
    eventually(lambda: len(processes_with(marker)) == 1)
    airbyte.call("DELETE", f"{airbyte.public}/jobs/{job['jobId']}")
    eventually(lambda: processes_with(marker) == [])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
parts = st.sampled_from(
    ["record", "state", "trace", "log", "catalog", "spec", "stream", "stream_status", "type"]
)
kinds = st.sampled_from(
    ["RECORD", "STATE", "TRACE", "LOG", "CATALOG", "SPEC", "STREAM", "GLOBAL", "ERROR", "x"]
)


@settings(max_examples=100, deadline=None)
@given(kinds, st.dictionaries(parts, st.dictionaries(parts, kinds | json_values, max_size=3) | json_values))
def test_a_message_is_read_or_refused(type_: str, content: dict[str, object]) -> None:
    line = json.dumps({**content, "type": type_}).encode()
    message, refusal = None, ""
    try:
        message = decode(line)
    except MalformedMessageError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert message is None or isinstance(message, Message)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=50).filter(lambda text: b"\n" not in text), max_size=6))
def test_lines_come_as_they_were_written(written: list[bytes]) -> None:
    text = b"\n".join(written)
    for read in (
        lambda pipe: [line for some in lines(pipe, 1000) for line in some],
        lambda pipe: [*cut_lines(pipe, 99)],
    ):
        with subprocess.Popen(
            ["printf", "%b", "".join(f"\\x{byte:02x}" for byte in text)], stdout=subprocess.PIPE
        ) as p:
            assert p.stdout is not None
            assert b"\n".join(read(p.stdout.fileno())).rstrip(b"\n") == text.rstrip(b"\n")


def test_a_nested_line_is_no_crash(tmp_path: Path) -> None:
    deep = b'{"a":' * 100_000
    assert decode(deep) is None
    with pytest.raises(MalformedMessageError):
        decode(b'{"type": "RECORD", "record": ' + deep)
    assert sys.getrecursionlimit() < 100_000
