"""Processes that run a job each; the next one is started beforehand, since its imports take most of a second."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from lakehouse.embedded.airbyte.process_tree import kill_tree


class Workers:
    """Hands jobs to processes of `lakehouse.embedded.airbyte.worker`."""

    def __init__(self, home: Path, arguments: Sequence[str]) -> None:
        module = "lakehouse.embedded.airbyte.worker"
        self._command = [sys.executable, "-m", module, str(home), *arguments]
        self._spare: Process | None = None
        self._starting = asyncio.Lock()  # jobs may end at the same moment

    async def run(self, job_id: int, log_path: Path, told: Callable[[int], None]) -> Process:
        """A process at work on the job, in a group of its own. Raises OSError where none can be started.

        `told` is given its id before it begins, so that a server that dies now finds it again.
        """
        order = {"job_id": job_id, "log": str(log_path)}
        spare, self._spare = self._spare, None
        if spare is not None and spare.returncode is None:
            told(spare.pid)
            await _give(spare, {**order, "acknowledge": True})
            # It may have just ended, having waited too long: then it says nothing, and has begun nothing.
            if spare.stdout is not None and await spare.stdout.readline():
                return spare
        with log_path.open("ab") as log:
            process = await self._start(log)
        told(process.pid)
        await _give(process, order)
        return process

    async def make_ready(self) -> None:
        """Starts the process of the next job, unless there is one."""
        async with self._starting:
            if self._spare is None or self._spare.returncode is not None:
                with contextlib.suppress(OSError):  # the next job says so
                    self._spare = await self._start(PIPE)

    async def stop(self) -> None:
        """Ends the process that waits."""
        if self._spare is not None and self._spare.returncode is None:
            kill_tree(self._spare.pid, group=True)
            await self._spare.wait()

    async def _start(self, output: IO[bytes] | int) -> Process:
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=output,
            stderr=DEVNULL if output == PIPE else output,
            start_new_session=True,
        )


async def _give(process: Process, order: Mapping[str, Any]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(ConnectionError):  # it was killed: its end tells, as of any other worker
            process.stdin.write(json.dumps(order).encode() + b"\n")
            await process.stdin.drain()
