"""Superset's configuration: what the service hands over in its environment, and our dialects."""

import os
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from lakehouse_dremio import register
from lakehouse_events import LaterEventLogger
from lakehouse_sql import DremioAsWritten
from sqlalchemy import event
from sqlalchemy.engine import Engine

_HOME = Path(os.environ["SUPERSET_HOME"])

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET_METADATA_URL"]
EVENT_LOGGER = LaterEventLogger()

# Nobody is let in without a login, and no form or call without its token.
AUTH_ROLE_PUBLIC = "Public"
PUBLIC_ROLE_LIKE = None
WTF_CSRF_ENABLED = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True

# Answers are kept for a day: materializing a dashboard's asset asks every chart anew when its data has changed.
DATA_CACHE_CONFIG = {
    "CACHE_TYPE": "FileSystemCache",
    "CACHE_DIR": str(_HOME / "cache"),
    "CACHE_DEFAULT_TIMEOUT": int(timedelta(days=1).total_seconds()),
    "CACHE_THRESHOLD": 5_000,
}

# Dremio's functions stay as they are written, where Superset's own reading of its SQL changes some of them.
SQLGLOT_DIALECTS_EXTENSIONS = {"dremio": DremioAsWritten}
if os.environ.get("SUPERSET_DREMIO_DIALECT", "lakehouse") == "lakehouse":
    register()

WELCOME_PAGE_LAST_TAB = "all"


@event.listens_for(Engine, "connect")
def _quick_commits(connection: Any, _record: Any) -> None:
    """Whoever writes does not keep others from reading, and waits for no disk."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
