"""Figures as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def duration(seconds: float | None) -> str:
    """
    >>> duration(0.0213), duration(3.14), duration(75), duration(7260), duration(200_000), duration(None)
    ('21 ms', '3.1 s', '1 min 15 s', '2 h 1 min', '2 d 7 h', '')
    """
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 and seconds % 1 else f"{seconds:.0f} s"
    whole = int(seconds)
    for (size, unit), (below, smaller) in zip(_UNITS, (*_UNITS[1:], (1, "s")), strict=True):
        if whole >= size:
            many, rest = divmod(whole, size)
            return f"{many} {unit} {rest // below} {smaller}" if rest // below else f"{many} {unit}"
    return f"{whole} s"


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, to the nearest unit below; `never` for None."""
    if moment is None:
        return "never"
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    return f"{duration(round(seconds))} ago"


def size(count: float | None) -> str:
    """
    >>> size(0), size(2048), size(13_600_000), size(None)
    ('0 B', '2.0 KB', '13.0 MB', '')
    """
    if count is None:
        return ""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def number(count: int | None) -> str:
    """
    >>> number(1234567), number(None)
    ('1,234,567', '')
    """
    return "" if count is None else f"{count:,}"
