"""A large table read over several connections: ranges of its pages, all as of one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from lakehouse.embedded.airbyte.connectors.postgres.tables import Table

SMALLEST_PAGES = 16_384  # 128 MB: less is not worth a connection of its own
# Before version 14 a range of pages is found by reading the whole table; a standby may not hand out snapshots.
_PAGES = """
SELECT pg_relation_size(c.oid) / current_setting('block_size')::int
FROM pg_class c JOIN pg_am a ON a.oid = c.relam
WHERE c.oid = %s AND c.relkind IN ('r', 'm') AND a.amname = 'heap'
  AND current_setting('server_version_num')::int >= 140000 AND NOT pg_is_in_recovery()
"""


def page_ranges(connection: psycopg.Connection[Any], table: Table, most: int) -> list[sql.Composable]:
    """Up to `most` conditions, of which every row meets one; a table that is not worth it gets `true` alone."""
    found = connection.execute(_PAGES, (table.oid,)).fetchone()
    pages = found[0] if found else 0
    parts = max(1, min(most, pages // SMALLEST_PAGES))
    bounds = [sql.Literal(f"({pages * part // parts},0)") for part in range(1, parts)]
    starts = [sql.SQL("ctid >= {}::tid").format(bound) for bound in bounds]
    ends = [sql.SQL("ctid < {}::tid").format(bound) for bound in bounds]
    if not bounds:
        return [sql.SQL("true")]
    middle = [sql.SQL(" AND ").join(pair) for pair in zip(starts[:-1], ends[1:], strict=True)]
    return [ends[0], *middle, starts[-1]]


@contextmanager
def exported_snapshot(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """The name of what `connection` sees now, for other connections to see the same until the context ends."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        ((name,),) = connection.execute("SELECT pg_export_snapshot()").fetchall()
        yield str(name)
