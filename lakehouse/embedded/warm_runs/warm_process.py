"""The hold on the process that runs are forked from."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from lakehouse.embedded.errors import EmbeddedError

_CODE = (".py", ".yaml", ".yml", ".sql")


class WarmProcessError(EmbeddedError):
    """The code could not be loaded, or the process is gone; says what to look at."""


class WarmProcess:
    """One warm process; its log goes to this process's standard error."""

    def __init__(self, module: str) -> None:
        """Starts it; it is ready when the first fork answers, some ten seconds later.

        Args:
            module: its `preload()` loads what runs need, and gives the folders that hold the code.
        """
        self.module = module
        self._started = time.time()
        self._code: list[Path] | None = None
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lakehouse.embedded.warm_runs.template", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def is_current(self) -> bool:
        """Whether it lives and no file of the code changed since it began."""
        return self._process.poll() is None and _newest(self._code or ()) <= self._started

    def fork(self, arguments: list[str]) -> int:
        """Run `dagster <arguments>` in a fork of it; gives the process id.

        Raises:
            WarmProcessError: it ended; its log says why.
        """
        with self._one_at_a_time:
            if self._code is None:
                self._code = [Path(folder) for folder in json.loads(self._answer())]
            try:
                self._input.write(json.dumps(arguments) + "\n")
                self._input.flush()
            except BrokenPipeError:
                raise self._is_gone() from None
            return int(self._answer())

    def close(self) -> None:
        """Ends it when it has nothing more to do; what it forked goes on."""
        with suppress(BrokenPipeError):
            self._input.close()

    @property
    def _input(self) -> IO[str]:
        return cast("IO[str]", self._process.stdin)  # it is a pipe

    def _answer(self) -> str:
        line = cast("IO[str]", self._process.stdout).readline().strip()
        if not line:
            raise self._is_gone()
        return line

    def _is_gone(self) -> WarmProcessError:
        return WarmProcessError(
            f"the process that runs are forked from has ended, exit code {self._process.wait(10)}",
            where=self.module,
            remedy="the log of the Dagster daemon says why",
        )


def _newest(code: Iterable[Path]) -> float:
    """When the newest file or folder was written, in seconds since 1970; folders tell of files that went."""
    paths = [path for folder in code for path in (folder, *folder.rglob("*")) if _is_code(path)]
    return max((path.stat().st_mtime for path in paths), default=0.0)


def _is_code(path: Path) -> bool:
    return "__pycache__" not in path.parts and (path.suffix in _CODE or path.is_dir())
