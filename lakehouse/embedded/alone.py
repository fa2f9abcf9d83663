"""One embedded service for the length of a block, outside the stack."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.log_file import LogFile
from lakehouse.embedded.ports import require_free
from lakehouse.embedded.process import ServiceProcess
from lakehouse.embedded.service import Service


@contextmanager
def alone(service: Service, home: Path) -> Iterator[None]:
    """Start the service, wait until it is well, and stop it at the end of the block.

    Its log is `<home>/logs/<service>.jsonl`, as in the stack.

    Raises:
        EmbeddedError: a port is taken, it ended before it was well, or was not well in time.
    """
    for port in service.ports:
        require_free(port)
    log = LogFile(home / "logs", service.name)
    process = ServiceProcess(service, home, log)
    remedy = f"its log is {log.path}"
    try:
        while not process.is_well():
            if process.exit_code is not None:
                ended = f"ended with code {process.exit_code} before it was ready: {process.last_words()}"
                raise EmbeddedError(ended, where=service.name, remedy=remedy)
            if process.age_seconds > service.start_seconds:
                late = f"not ready after {service.start_seconds:.0f} s"
                raise EmbeddedError(late, where=service.name, remedy=remedy)
            time.sleep(0.05)
        yield
    finally:
        process.stop()
