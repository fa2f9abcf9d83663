"""The reaper process: ends what the services left when their supervisor was killed.

The kernel sends SIGTERM to every service when the supervisor dies; this process, one for the whole stack,
sees to it that what the services started in turn (a Dagster run, a connector) ends too, in bounded time.
Run as `python -m lakehouse.embedded.reaper <home>`; the supervisor holds its standard input open.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lakehouse.embedded.json_lines import json_line
from lakehouse.embedded.log_file import LogFile
from lakehouse.embedded.process import end_abandoned

_CLEAN = "all stopped\n"


class Reaper:
    """The supervisor's hold on the reaper process."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lakehouse.embedded.reaper", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Nothing is left to end."""
        if self._process.poll() is None:
            self._process.communicate(_CLEAN)


def main() -> None:
    home = Path(sys.argv[1])
    # Ends when the supervisor writes its last line, or when it dies in whatever way.
    if sys.stdin.read() == _CLEAN:
        return
    pids = end_abandoned(home)
    message = f"the supervisor was killed; ended what was left: {', '.join(map(str, pids)) or 'nothing'}"
    LogFile(home / "logs", "supervisor").write(json_line("reaper", message, "WARNING"))


if __name__ == "__main__":
    main()
