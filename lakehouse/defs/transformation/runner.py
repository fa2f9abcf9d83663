"""dbt in this process, through its programmatic interface (dbt.cli.main.dbtRunner).

dagster-dbt starts `dbt` as a process, and before that `dbt --version`, which asks PyPI for newer releases:
10 s an invocation before the first statement, and no answer without a network. Here dbt is imported once, its
manifest read once, and an invocation begins in 0.2 s. dbt allows one invocation at a time in a process; the
lock holds that.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from lakehouse.clients.http import one_line
from lakehouse.defs.project import prepared_manifest, settings_variables
from lakehouse.defs.transformation import leavings
from lakehouse.errors import ConfigurationError, PermanentError

if TYPE_CHECKING:
    from dbt.artifacts.schemas.results import NodeResult
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

_ONE_AT_A_TIME = threading.Lock()
_TOLD = frozenset({"LogModelResult", "LogTestResult", "LogSnapshotResult", "LogSeedResult"})
_FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
RUN = "DBT_ENV_CUSTOM_ENV_DAGSTER_RUN_ID"
"""dbt writes what begins with DBT_ENV_CUSTOM_ENV_ into every line of its log."""
THREADS = 8  # each statement begins with 0.2 s of sleep in dbt-dremio: more threads than cores pay


@dataclass
class Invocation:
    """One dbt command: iterate over `events`, then look at `failures`."""

    arguments: Sequence[str]
    target: Path
    """Where dbt leaves its artifacts, overwritten by the next command of the same target."""
    environ: Mapping[str, str]
    """LAKEHOUSE_ variables for the profile, and RUN."""
    project_dir: Path
    lock: Path | None = None
    """A file that only one process at a time may hold while dbt writes; None for what writes nothing."""
    id: str | None = field(default=None, init=False)
    """dbt's own id of the invocation; None before it began."""
    _manifest: Manifest | None = field(default=None, init=False)
    _result: dbtRunnerResult | None = field(default=None, init=False)
    _error: BaseException | None = field(default=None, init=False)

    def events(self) -> Iterator[dict[str, Any]]:
        """dbt's result events of nodes as they happen, in the form of its JSON log.

        Raises:
            PermanentError: dbt could not run at all.
        """
        queue: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        worker = threading.Thread(target=self._run, args=(queue,), name="dbt", daemon=True)
        worker.start()
        while (event := queue.get()) is not None:
            yield event
        worker.join()
        if self._error is not None:
            raise self._error
        if self._result is not None and self._result.exception is not None:
            raise PermanentError(one_line(str(self._result.exception), 800), where="dbt")

    @property
    def results(self) -> list[NodeResult]:
        """What became of each node; nothing before the end."""
        return getattr(self._result and self._result.result, "results", None) or []

    def failures(self) -> list[str]:
        """One line for every node that failed."""
        return [
            f"{result.node.name} {result.status}: {one_line(result.message or '')}"
            for result in self.results
            if str(result.status) in _FAILED
        ]

    def compiled(self, unique_id: str) -> str:
        """The SELECT that dbt made of a node that it has built; it keeps no file of a snapshot's."""
        node = self._manifest.nodes[unique_id] if self._manifest else None
        return getattr(node, "compiled_code", None) or ""

    @property
    def succeeded(self) -> bool:
        return self._result is not None and self._result.success

    def _run(self, queue: SimpleQueue[dict[str, Any] | None]) -> None:
        from dbt.cli.main import dbtRunner
        from dbt_common.events.base_types import EventMsg
        from dbt_common.events.functions import msg_to_dict, reset_metadata_vars

        def tell(message: EventMsg) -> None:
            self.id = message.info.invocation_id  # type: ignore[attr-defined]
            if message.info.name in _TOLD:
                queue.put(msg_to_dict(message))

        try:
            with (
                _ONE_AT_A_TIME,
                _held(self.lock),
            ):  # here, since whoever reads the events may go away before dbt has ended
                # A copy: dbt writes into the manifest what it compiles.
                self._manifest = _manifest(self.project_dir, _scratch(self.target.parent)).deepcopy()
                with _environment(self.environ):
                    reset_metadata_vars()  # it keeps those of the invocation before, and what RUN says is one
                    runner = dbtRunner(manifest=self._manifest, callbacks=[tell])
                    self._result = runner.invoke([*self.arguments, *_flags(self.project_dir, self.target)])
        except BaseException as error:  # noqa: BLE001  this is another thread: told where the events are read
            self._error = error
        finally:
            queue.put(None)


def preload_manifest(project_dir: Path, home: Path) -> None:
    """Parse the project for the invocations of this process and of those forked from it."""
    _manifest(project_dir, _scratch(home / "dbt"))


def _scratch(targets: Path) -> Path:
    return targets / "parse"


def _flags(project_dir: Path, target: Path) -> list[str]:
    return [
        *("--project-dir", str(project_dir), "--profiles-dir", str(project_dir)),
        *("--target-path", str(target), "--threads", str(THREADS)),
        *("--log-path", str(target), "--log-file-max-bytes", str(leavings.LOG_BYTES)),
        *("--log-format-file", "json", "--log-level-file", "info"),  # for `lakehouse logs ship`
        *("--cache-selected-only", "--quiet", "--no-use-colors", "--no-send-anonymous-usage-stats"),
    ]


def _manifest(project_dir: Path, scratch: Path) -> Manifest:
    path = prepared_manifest(project_dir)
    return _parsed(project_dir, scratch, path.stat().st_mtime_ns)


@cache
def _parsed(project_dir: Path, scratch: Path, _version: int) -> Manifest:
    """dbt's own form of the manifest, once for every version of it.

    manifest.json lacks what generic tests are made of, so dbt has to parse; from what the parse that wrote
    manifest.json left, and in the same environment, that is a partial parse and takes 0.2 s.
    """
    from dbt.cli.main import dbtRunner

    with _environment(dict.fromkeys(settings_variables(), None)):
        outcome = dbtRunner().invoke(
            [
                *("parse", "--quiet", "--no-write-json", "--no-send-anonymous-usage-stats"),
                *("--project-dir", str(project_dir), "--profiles-dir", str(project_dir)),
                *("--partial-parse-file-path", str(project_dir / "target" / "partial_parse.msgpack")),
                *("--target-path", str(scratch)),
                *("--log-path", str(scratch), "--log-file-max-bytes", str(leavings.LOG_BYTES)),
                *("--log-format-file", "json", "--log-level-file", "info"),
            ]
        )
    if not outcome.success or outcome.result is None:
        problem = f"dbt cannot parse the project: {one_line(str(outcome.exception), 800)}"
        raise ConfigurationError(problem, where=str(project_dir))
    return outcome.result  # type: ignore[return-value]


@contextmanager
def _held(lock: Path | None) -> Iterator[None]:
    """Two of dbt that build the same model would take each other's temporary tables and append the same rows twice.

    Dagster's pools keep apart what it queues, and the command line queues nothing. The lock is the kernel's: it is free
    again however its holder ends.
    """
    if lock is None:
        yield
        return
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _environment(values: Mapping[str, str | None]) -> Iterator[None]:
    """os.environ with these values (None takes one away) for as long as dbt runs: `env_var` looks only there."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
