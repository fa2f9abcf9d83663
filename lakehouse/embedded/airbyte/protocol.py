"""Connector commands that speak the Airbyte protocol: spec, check, discover, read; one JSON message a line."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

from lakehouse.embedded.airbyte.lines import LineTooLongError, cut_lines, lines
from lakehouse.embedded.airbyte.messages import MalformedMessageError, Message, decode, shortened
from lakehouse.embedded.airbyte.process_tree import bound, kill_tree
from lakehouse.embedded.launch import launched

LINE_BYTES = 256 * 2**20
_LOG_LINE_BYTES = 16 * 2**10
_LOG_BYTES = 64 * 2**20  # of one run


class ConnectorError(Exception):
    """A connector's failure as one line; `origin` and `kind` are Airbyte's failureOrigin and failureType."""

    def __init__(
        self, message: str, *, origin: str = "source", kind: str = "system_error", detail: str = ""
    ) -> None:
        super().__init__(message)
        self.origin = origin
        self.kind = kind
        self.detail = detail


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
        bound(self._process.pid)
        self._last_lines: deque[str] = deque(maxlen=20)
        self._log_room = _LOG_BYTES
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
        self.kill()
        self._process.wait()
        self._drain.join(timeout=5)
        self._stdout.close()
        if not self._drain.is_alive():  # else something that left the process tree holds the other end
            self._stderr.close()
        self._folder.cleanup()

    def _expire(self, seconds: float) -> None:
        self._error = ConnectorError(f"the connector did not finish {self._verb} within {seconds:g} seconds")
        self.kill()

    def kill(self) -> None:
        """End it at once, with all that it started; `messages` then raises ConnectorError.

        One that has ended may have left others in its group. Without a group of its own they are in the
        worker's, which ends with the job.
        """
        group = self._timer is not None
        if group or self._process.poll() is None:
            kill_tree(self._process.pid, group=group)

    def messages(self) -> Iterator[Message]:
        """Every message but logs and error traces, which are logged and remembered.

        Raises ConnectorError when the connector failed, in its own words where it gave any, and when it sent
        what cannot be read.
        """
        try:
            for some in lines(self._stdout.fileno(), LINE_BYTES):
                for line in some:
                    message = decode(line)
                    if message is not None and message.record is not None:
                        yield message
                    elif message is None or message.type == "LOG":
                        self._note_line(line, message)
                    elif message.trace and message.trace.get("type") == "ERROR":
                        self._error = _trace_error(message.trace.get("error") or {})
                    else:
                        yield message
        except (MalformedMessageError, LineTooLongError) as error:
            raise ConnectorError(f"the connector sent {error}") from None
        code = self._process.wait()
        self._drain.join(timeout=5)
        if self._error is not None:
            raise self._error
        if code != 0:
            last = self._last_lines[-1] if self._last_lines else "it printed nothing"
            raise ConnectorError(f"connector {_ended(code)}: {last}", detail="\n".join(self._last_lines))

    def _note_line(self, line: bytes, message: Message | None) -> None:
        if message is not None and message.log is not None:
            text = str(message.log.get("message", ""))[:_LOG_LINE_BYTES]
            self._note(str(message.log.get("level", "INFO")), text)
        elif line.strip():
            self._note("INFO", shortened(line.rstrip(), _LOG_LINE_BYTES))

    def _note(self, level: str, text: str) -> None:
        self._last_lines.append(text)
        if self._log_room > 0:
            self._log_room -= len(text) + 1
            self._log(level, text)
            if self._log_room <= 0:
                self._log("WARN", f"the log ends here: the connector wrote over {_LOG_BYTES >> 20} MiB")

    def _drain_stderr(self) -> None:
        for line in cut_lines(self._stderr.fileno(), _LOG_LINE_BYTES):
            if line.strip():
                self._note("WARN", line.decode(errors="replace").rstrip())


def _ended(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _trace_error(error: Mapping[str, Any]) -> ConnectorError:
    reasons = [str(error[name]) for name in ("message", "internal_message") if error.get(name)]
    message = next(
        (line for reason in reasons for line in reason.splitlines() if line.strip()), "no reason given"
    )
    detail = str(error.get("internal_message") or error.get("stack_trace") or "")
    return ConnectorError(message, kind=str(error.get("failure_type") or "system_error"), detail=detail)
