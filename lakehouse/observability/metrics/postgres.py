"""Connections of the Postgres server."""

from __future__ import annotations

from datetime import timedelta

from lakehouse.observability.metrics.metric import Metric
from lakehouse.observability.metrics.source import Reading, Source
from lakehouse.settings_sections import PostgresSettings

ACTIVE = Metric(
    "postgres_connections_active",
    "gauge",
    "Connections that execute a statement, by database.",
    ("database",),
)
OPEN = Metric(
    "postgres_connections_open", "gauge", "Connections that clients hold, by database.", ("database",)
)
LIMIT = Metric("postgres_connections_limit", "gauge", "Connections that the server allows.")
_SECONDS = 5
_COUNTS = """
SELECT d.datname, count(a.pid), count(a.pid) FILTER (WHERE a.state = 'active'),
       current_setting('max_connections')::int
FROM pg_database d LEFT JOIN pg_stat_activity a
  ON a.datid = d.oid AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
WHERE d.datallowconn GROUP BY d.datname
"""


def postgres(settings: PostgresSettings) -> Source:
    """The server of `LAKEHOUSE_POSTGRES__*`; the connection that asks is not counted."""

    def read() -> Reading:
        import psycopg

        password = settings.password.get_secret_value() if settings.password else None
        with psycopg.connect(
            host=settings.host,
            port=settings.port,
            dbname="postgres",
            user=settings.user,
            password=password,
            connect_timeout=_SECONDS,
            application_name="lakehouse metrics",
            options=f"-c statement_timeout={_SECONDS}s",
        ) as connection:
            rows = connection.execute(_COUNTS).fetchall()
        return {
            OPEN: [((row[0],), row[1]) for row in rows],
            ACTIVE: [((row[0],), row[2]) for row in rows],
            LIMIT: [((), rows[0][3])],
        }

    return Source("postgres", (ACTIVE, OPEN, LIMIT), read, timedelta(seconds=10))
