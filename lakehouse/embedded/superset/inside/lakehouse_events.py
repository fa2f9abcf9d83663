"""Who looked at what, written into Superset's metadata a moment after the answer instead of before it."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

from flask import current_app
from superset.utils.log import DBEventLogger

_PAUSE_SECONDS = 1.0


class LaterEventLogger(DBEventLogger):
    """Superset's own waits for a commit in every request, after which all that the request read is read again.

    A process that is killed loses the last second of them; nothing but Superset's list of recent activity reads them.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Any, tuple[Any, ...], dict[str, Any]]] = SimpleQueue()
        self._writer = threading.Thread()
        self._starting = threading.Lock()

    def log(self, *args: Any, **kwargs: Any) -> None:
        # The application itself: what the proxy stands for is gone with the request.
        self._waiting.put((current_app._get_current_object(), args, kwargs))
        with self._starting:
            if not self._writer.is_alive():  # a worker is a fork, which has no threads of its parent
                self._writer = threading.Thread(target=self._write, daemon=True, name="events")
                self._writer.start()

    def _write(self) -> None:
        while True:
            events = [self._waiting.get()]
            time.sleep(_PAUSE_SECONDS)
            try:
                while True:
                    events.append(self._waiting.get_nowait())
            except Empty:
                pass
            for app, args, kwargs in events:
                with app.app_context():
                    super().log(*args, **kwargs)
