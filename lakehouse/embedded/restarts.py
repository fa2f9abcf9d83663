"""When a service that died is started again: soon, then later and later, and not for ever."""

from __future__ import annotations

from collections import deque

FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 30.0
WINDOW_SECONDS = 300.0


class RestartPolicy:
    """At most `max_restarts` restarts in any `WINDOW_SECONDS`, each delay twice the one before."""

    def __init__(self, max_restarts: int) -> None:
        self._max_restarts = max_restarts
        self._deaths: deque[float] = deque()

    def delay_after_death(self, now: float) -> float | None:
        """Seconds to wait before the next start, or None when it has died too often."""
        self._deaths.append(now)
        while self._deaths[0] < now - WINDOW_SECONDS:
            self._deaths.popleft()
        recent = len(self._deaths)
        if recent > self._max_restarts:
            return None
        return float(min(FIRST_DELAY_SECONDS * 2 ** (recent - 1), MAX_DELAY_SECONDS))
