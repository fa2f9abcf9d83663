"""The Airbyte protocol: connector commands that print one JSON message a line (spec, check, discover, read).

Source: Airbyte protocol, message types RECORD, STATE, LOG, TRACE, CATALOG, CONNECTION_STATUS, SPEC.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from lakehouse.embedded.airbyte.coercion import Change
from lakehouse.embedded.launch import launched


class Record(msgspec.Struct):
    """A RECORD message; `data` stays undecoded text."""

    stream: str
    data: msgspec.Raw
    emitted_at: int
    namespace: str | None = None
    meta: dict[str, Any] | None = None


class Message(msgspec.Struct):
    """The envelope of every message."""

    type: str
    record: Record | None = None
    state: dict[str, Any] | None = None
    log: dict[str, Any] | None = None
    trace: dict[str, Any] | None = None
    catalog: dict[str, Any] | None = None
    connection_status: dict[str, Any] | None = msgspec.field(default=None, name="connectionStatus")
    spec: dict[str, Any] | None = None
    control: dict[str, Any] | None = None


class ConnectorError(Exception):
    """A connector's failure as one line; `origin` and `kind` are Airbyte's failureOrigin and failureType."""

    def __init__(
        self, message: str, *, origin: str = "source", kind: str = "system_error", detail: str = ""
    ) -> None:
        super().__init__(message)
        self.origin = origin
        self.kind = kind
        self.detail = detail


_DECODER = msgspec.json.Decoder(Message)


def decode(line: bytes) -> Message | None:
    """A line of a connector's output, or None when the line is no message (by convention: a log line)."""
    try:
        return _DECODER.decode(line)
    except msgspec.ValidationError:
        return None
    except msgspec.DecodeError:
        return _decode_leniently(line)


def _decode_leniently(line: bytes) -> Message | None:
    """Python sources print NaN, which is not JSON: the message must not be lost for it."""
    try:
        loose = json.loads(line)
        record = loose["record"] if loose["type"] == "RECORD" else None
        if record is None:
            return msgspec.convert(loose, Message)
        data = {
            name: str(v) if isinstance(v, float) and v - v != 0 else v for name, v in record["data"].items()
        }
        return _DECODER.decode(msgspec.json.encode({"type": "RECORD", "record": {**record, "data": data}}))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def changes_of(record: Record) -> list[Change]:
    """The changes a source itself made to a record's values."""
    if not record.meta:
        return []
    return [Change(c["field"], c["change"], c["reason"]) for c in record.meta.get("changes") or ()]


class ConnectorProcess:
    """One run of a connector command; its messages, its log, its failure.

    Configuration, catalogue and state are handed over as files in `scratch`, which the server empties at every
    start: a kill leaves no password behind. Ends with this process, however that ends. With `seconds` it is
    killed after that time, together with all it started.
    """

    def __init__(
        self,
        command: Sequence[str],
        verb: str,
        files: Mapping[str, Any],
        scratch: Path,
        log: Callable[[str, str], None] = lambda _level, _text: None,
        *,
        seconds: float | None = None,
    ) -> None:
        if shutil.which(command[0]) is None:
            raise ConnectorError(f"cannot start connector {command[0]}: there is no such program")
        self._log = log
        self._verb = verb
        self._folder = tempfile.TemporaryDirectory(prefix="connector-", dir=scratch)
        arguments = [*command, verb]
        for name, content in files.items():
            path = Path(self._folder.name) / f"{name}.json"
            path.write_text(json.dumps(content))
            path.chmod(0o600)
            arguments += [f"--{name}", str(path)]
        self._process = subprocess.Popen(
            launched(arguments, signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=seconds is not None,
        )
        self._last_lines: deque[str] = deque(maxlen=20)
        self._error: ConnectorError | None = None
        self._timer = None if seconds is None else threading.Timer(seconds, self._expire, [seconds])
        self._stdout = cast(IO[bytes], self._process.stdout)
        self._stderr = cast(IO[bytes], self._process.stderr)
        self._drain = threading.Thread(target=self._drain_stderr, daemon=True)
        self._drain.start()
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def __enter__(self) -> ConnectorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._process.poll() is None:
            self.kill()
        self._process.wait()
        self._drain.join(timeout=5)
        self._stdout.close()
        self._stderr.close()
        self._folder.cleanup()

    def _expire(self, seconds: float) -> None:
        self._error = ConnectorError(f"the connector did not finish {self._verb} within {seconds:g} seconds")
        self.kill()

    def kill(self) -> None:
        """End it at once; `messages` then raises ConnectorError."""
        if self._timer is None:
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def messages(self) -> Iterator[Message]:
        """Every message but logs and error traces, which are logged and remembered.

        Raises ConnectorError when the connector failed, in its own words where it gave any.
        """
        for line in self._stdout:
            message = decode(line)
            if message is None:
                if line.strip():
                    self._note("INFO", line.decode(errors="replace").rstrip())
            elif message.type == "LOG" and message.log:
                self._note(str(message.log.get("level", "INFO")), str(message.log.get("message", "")))
            elif message.trace and message.trace.get("type") == "ERROR":
                self._error = _trace_error(message.trace.get("error") or {})
            else:
                yield message
        code = self._process.wait()
        self._drain.join(timeout=5)
        if self._error is not None:
            raise self._error
        if code != 0:
            last = self._last_lines[-1] if self._last_lines else "it printed nothing"
            raise ConnectorError(
                f"connector exited with code {code}: {last}", detail="\n".join(self._last_lines)
            )

    def _note(self, level: str, text: str) -> None:
        self._last_lines.append(text)
        self._log(level, text)

    def _drain_stderr(self) -> None:
        for line in self._stderr:
            if line.strip():
                self._note("WARN", line.decode(errors="replace").rstrip())


def _trace_error(error: Mapping[str, Any]) -> ConnectorError:
    reasons = [str(error[name]) for name in ("message", "internal_message") if error.get(name)]
    message = next(
        (line for reason in reasons for line in reason.splitlines() if line.strip()), "no reason given"
    )
    detail = str(error.get("internal_message") or error.get("stack_trace") or "")
    return ConnectorError(message, kind=str(error.get("failure_type") or "system_error"), detail=detail)
