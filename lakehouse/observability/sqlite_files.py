"""SQLite keeps the pages of deleted rows for later; given back to the disk they are only by VACUUM."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_BUSY_SECONDS = 30


def free_bytes(path: Path) -> int:
    """What the file holds for nothing."""
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as database:
        pages, size = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size")
        )
        return int(pages) * int(size)


def vacuum(path: Path) -> int:
    """Write the file anew without what it holds for nothing; gives how many bytes smaller it is.

    Writers wait meanwhile. A file that others keep busy is left as it is.
    """
    before = path.stat().st_size
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as database:
        try:
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
    return max(0, before - path.stat().st_size)
