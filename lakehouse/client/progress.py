"""How far the reading of a long result has come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_QUIET_SECONDS = 1.0


@dataclass(frozen=True)
class Received:
    """What has come so far. Dremio does not tell how much will."""

    rows: int
    bytes: int
    """Of the Arrow data in memory."""


Progress = Callable[[Received], None]
"""Called after each batch, in the thread that reads."""


class TerminalProgress:
    """Rows and bytes on standard error when that is a terminal, after a second; use it as a context manager.

    >>> with TerminalProgress() as progress:
    ...     progress(Received(rows=65_536, bytes=1_000_000))
    """

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._shown: RichProgress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown is not None:
            self._shown.stop()

    def __call__(self, received: Received) -> None:
        if time.monotonic() - self._started < _QUIET_SECONDS:
            return
        if self._shown is None:
            self._shown = _on_standard_error()
            self._shown.add_task("receiving", total=None)
            self._shown.start()
        text = f"{received.rows:,} rows, {received.bytes / 1e6:,.0f} MB"
        self._shown.update(self._shown.task_ids[0], description=text)


def _on_standard_error() -> RichProgress:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
