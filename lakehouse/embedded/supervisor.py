"""The supervisor process: starts the services, restarts what dies, stops them in order.

Run as `python -m lakehouse.embedded.supervisor` with a JSON description on the first line of standard input.
It reports on standard output, one JSON object a line: `state` events, then `ready` or `error`. When it is not
detached, the end of standard input means that its owner is gone, and it stops everything.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.json_lines import json_line
from lakehouse.embedded.log_file import LogFile
from lakehouse.embedded.ports import require_free
from lakehouse.embedded.process import end_abandoned
from lakehouse.embedded.reaper import Reaper
from lakehouse.embedded.service import Service
from lakehouse.embedded.state import (
    FAILED,
    RUNNING,
    STOPPED,
    StackRunningError,
    StackState,
    clear_state,
    stack_lock,
    write_state,
)
from lakehouse.embedded.supervised import Supervised

_TICK_SECONDS = 0.1


class Supervisor:
    """Runs a set of services until it is told to stop."""

    def __init__(self, home: Path, services: Sequence[Service]) -> None:
        self._home = home
        self._log = LogFile(home / "logs", "supervisor")
        self._wake = threading.Event()
        self._stopping = False
        self._reporting = True
        self._ready = False
        self._state = StackState(os.getpid(), time.time(), [])
        self._services = [Supervised(service, home, self._say) for service in services]
        self._state.services = [supervised.state for supervised in self._services]

    def run(self) -> None:
        """Start, watch and stop the services.

        Raises:
            StackRunningError: the stack of this home runs already.
            EmbeddedError: a port is taken, or a service could not be started; everything is stopped again.
        """
        with stack_lock(self._home):
            self._sweep()
            for port in (port for supervised in self._services for port in supervised.service.ports):
                require_free(port)
            reaper = Reaper(self._home)
            try:
                self._watch()
            finally:
                self._stop_all()
                clear_state(self._home)
                reaper.dismiss()

    def stop(self) -> None:
        """Make `run` stop everything and return; safe to call from signal handlers and threads."""
        self._stopping = True
        self._wake.set()

    def _sweep(self) -> None:
        abandoned = end_abandoned(self._home)
        if abandoned:
            self._say(f"ended what a killed supervisor left: pids {', '.join(map(str, abandoned))}")

    def _watch(self) -> None:
        while not self._stopping:
            running = {each.service.name for each in self._services if each.state.state == RUNNING}
            changed = [each.step(running, starting=not self._ready) for each in self._services]
            if any(changed):
                self._publish()
            if not self._ready and all(each.state.state in (RUNNING, FAILED) for each in self._services):
                self._ready = True
                self.report("ready")
            self._wake.wait(_TICK_SECONDS)

    def _stop_all(self) -> None:
        """Stop together what nothing running requires, until nothing is left."""
        self._say("stopping")
        left = list(self._services)
        while left:
            required = {name for each in left for name in each.service.requires}
            wave = [each for each in left if each.service.name not in required]
            threads = [threading.Thread(target=each.stop) for each in wave]
            for each, thread in zip(wave, threads, strict=True):
                each.announce_stop()
                thread.start()
            self._publish()
            for thread in threads:
                thread.join()
            left = [each for each in left if each not in wave]
            self._publish()
        self._say("stopped")

    def _publish(self) -> None:
        write_state(self._home, self._state)
        for service in self._state.services:
            if service.state != STOPPED:
                self.report("state", service=service.name, state=service.state, note=service.note)

    def _say(self, message: str, level: str = "INFO", **fields: object) -> None:
        self._log.write(json_line("supervisor", message, level, **fields))

    def report(self, event: str, **fields: object) -> None:
        """Tell the process that started this one; it may have stopped listening."""
        if self._reporting:
            try:
                print(json.dumps({"event": event, **fields}), flush=True)
            except (BrokenPipeError, ValueError):
                self._reporting = False


def main() -> int:
    description: Mapping[str, Any] = json.loads(sys.stdin.readline())
    services = [Service.from_json(values) for values in description["services"]]
    home = Path(description["home"])
    supervisor = Supervisor(home, services)
    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    signal.signal(signal.SIGINT, lambda *_: supervisor.stop())
    if not description["detached"]:
        threading.Thread(target=_follow_owner, args=(supervisor,), daemon=True).start()
    try:
        supervisor.run()
    except EmbeddedError as error:
        running = isinstance(error, StackRunningError)
        supervisor.report("error", message=str(error), already_running=running)
        return 1
    except Exception:  # noqa: BLE001  the last frame of the process: logged in full, reported, exit code 1
        LogFile(home / "logs", "supervisor").write(
            json_line("supervisor", "unexpected error", "ERROR", stack_trace=traceback.format_exc())
        )
        supervisor.report("error", message=traceback.format_exc().splitlines()[-1], already_running=False)
        return 1
    return 0


def _follow_owner(supervisor: Supervisor) -> None:
    sys.stdin.read()
    supervisor.stop()


if __name__ == "__main__":
    # Threads that still read a dying service's output must not hold up the exit.
    code = main()
    sys.stderr.flush()
    os._exit(code)
