"""Connector commands: what they may print, how they may end, and that none outlives its caller."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.embedded.airbyte.messages import MalformedMessageError, decode
from lakehouse.embedded.airbyte.protocol import ConnectorError, ConnectorProcess
from lakehouse_tests.embedded.airbyte.fixtures import eventually, processes_with, unique

RECORD = (
    b'{"type": "RECORD", "record": {"stream": "s", "namespace": null, "data": {"a": 1}, "emitted_at": 5}}'
)


def command(script: str) -> list[str]:
    return ["sh", "-c", script]


def failure(script: str, scratch: Path) -> ConnectorError:
    with (
        ConnectorProcess(command(script), "read", {}, scratch) as process,
        pytest.raises(ConnectorError) as caught,
    ):
        list(process.messages())
    return caught.value


def test_an_envelope_keeps_its_data_as_text() -> None:
    message = decode(RECORD)
    assert message is not None
    assert message.record is not None
    assert (bytes(message.record.data), message.record.namespace) == (b'{"a": 1}', None)


@pytest.mark.parametrize(
    "line", [b"", b"hello", b"{", b"[1]", b'"x"', b'{"no": "type"}', b'{"type": 1}', b"\xff\x00"]
)
def test_what_is_no_message_is_none(line: bytes) -> None:
    assert decode(line) is None


@given(st.binary(max_size=200))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    with suppress(MalformedMessageError):
        decode(line)


def test_a_record_with_nan_is_not_lost() -> None:
    message = decode(RECORD.replace(b"1}", b'NaN, "b": -Infinity, "c": 2}'))
    assert message is not None
    assert message.record is not None
    assert bytes(message.record.data) == b'{"a":"nan","b":"-inf","c":2}'


def test_the_last_line_explains_an_exit_code(tmp_path: Path) -> None:
    error = failure("echo first >&2; echo the reason >&2; exit 3", tmp_path)
    assert str(error) == "connector exited with code 3: the reason"
    assert error.detail == "first\nthe reason"


def test_an_error_trace_explains_better_in_its_first_line(tmp_path: Path) -> None:
    trace = (
        '{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1,'
        '"error":{"message":"bad key\\\\nlong story","failure_type":"config_error"}}}'
    )
    error = failure(f"echo '{trace}'; exit 1", tmp_path)
    assert (str(error), error.kind) == ("bad key", "config_error")


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConnectorError, match="cannot start connector no-such-source: there is no such program"
    ):
        ConnectorProcess(["no-such-source"], "read", {}, tmp_path)


def test_a_connector_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    marker = unique("slow-marker")
    script = f"{sys.executable} -c 'import time; time.sleep(60)' {marker}; true"
    with (
        ConnectorProcess(command(script), "discover", {}, tmp_path, seconds=0.3) as process,
        pytest.raises(ConnectorError, match=r"did not finish discover within 0\.3 seconds"),
    ):
        list(process.messages())
    eventually(lambda: processes_with(marker) == [])


def test_configuration_is_handed_over_privately_and_removed(tmp_path: Path) -> None:
    script = 'test "$(stat -c %a "$2")" = 600 && cat "$2" >&2; exit 1'
    files = {"config": {"password": "secret"}}
    with (
        ConnectorProcess(["sh", "-c", script], "check", files, tmp_path) as process,
        pytest.raises(ConnectorError, match=r'\{"password": "secret"\}'),
    ):
        list(process.messages())
    assert list(tmp_path.iterdir()) == []


_CALLER = """
import sys
from contextlib import suppress
from pathlib import Path
from lakehouse.embedded.airbyte.protocol import ConnectorProcess
script = "import time; print('up', flush=True); time.sleep(600)"
process = ConnectorProcess([sys.executable, "-c", script, sys.argv[1]], "read", {}, Path(sys.argv[2]))
print(process._stdout.readline(), flush=True)
list(process.messages())
"""


def test_it_ends_with_a_caller_that_is_killed(tmp_path: Path) -> None:
    marker = unique("orphan-marker")
    caller = subprocess.Popen([sys.executable, "-c", _CALLER, marker, str(tmp_path)], stdout=subprocess.PIPE)
    assert caller.stdout is not None
    assert b"up" in caller.stdout.readline()
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    caller.stdout.close()
    eventually(lambda: processes_with(marker) == [])
