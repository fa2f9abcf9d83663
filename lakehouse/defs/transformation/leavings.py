"""What dbt leaves in the home directory, and how long."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

LOG_BYTES = 1_000_000
"""dbt begins a new dbt.log at this size, and keeps five older ones beside it."""
KEPT = timedelta(days=7)


def remove_old(folder: Path, kept: timedelta = KEPT) -> int:
    """Delete files that nobody wrote to for so long, and folders that are empty then; gives how many files.

    Every invocation writes all that it leaves anew: what is old belongs to models and ops that are gone. Nothing
    younger is touched, since another process may be writing it.
    """
    oldest = time.time() - kept.total_seconds()
    removed = 0
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before it
        try:
            if path.is_dir():
                if path.stat().st_mtime < oldest and not any(path.iterdir()):
                    path.rmdir()
            elif path.stat().st_mtime < oldest:
                path.unlink()
                removed += 1
        except OSError:
            continue  # another process was first, or has just put something into the folder
    return removed
