"""Calls of every operation, for tests that try all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lakehouse_tests.api.conftest import Api

IN_PATH = ("key", "run_id", "connection", "query_id")
NEEDED = {
    "/api/v1/partitions": {"dataset": "gold/fct_daily_revenue"},
    "/api/v1/logs/counts": {"by": "level"},
}
"""Parameters that an operation does not go without."""
OF_DREMIO = ("/api/v1/slow-queries", "/api/v1/reflections")
"""What cannot be answered while Dremio is down."""


def path_of(template: str, api: Api, given: Mapping[str, str] | None = None) -> str:
    """The path with these values, quoted already, and others that exist."""
    values = {
        "key": "gold/fct_orders",
        "run_id": api.runs[0],
        "connection": "shop",
        "query_id": "A" * 22,
        **(given or {}),
    }
    return re.sub(r"\{(\w+)(:path)?\}", lambda name: values[name[1]], template)
