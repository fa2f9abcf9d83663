"""Airbyte and Dremio: whether they answer, and Dremio's slow queries.

What a service does not answer is raised: `evaluate` makes an alert of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from lakehouse.defs.monitoring.look import Look
from lakehouse.observability.alerts.alert import Alert, AlertName, Severity

_WAITED_FOR = ("SELECT", "WITH", "VALUES")
_SECONDS = 5.0
"""How long a service may take to answer; a sensor has a minute for all of them."""


def airbyte_answers(look: Look) -> list[Alert]:
    """Nothing, when it does.

    Raises:
        LakehouseError: Airbyte does not answer, or not as it should.
    """
    from lakehouse.clients.airbyte import AirbyteClient

    with AirbyteClient(look.settings.airbyte, timeout=_SECONDS) as airbyte:
        airbyte.list("connections")
    return []


def slow_queries(look: Look) -> Iterator[Alert]:
    """One alert while people had to wait for queries; what builds tables may take its time.

    Raises:
        LakehouseError: Dremio does not answer, or not as it should.
    """
    from lakehouse.clients.dremio import DremioClient

    declared = look.alerting.slow_queries
    since = (look.now - declared.within).astimezone(UTC)
    # Columns of Dremio's system table: https://docs.dremio.com/current/reference/sql/system-tables/jobs_recent/
    sql = (
        'SELECT job_id, user_name, "query", TIMESTAMPDIFF(SECOND, submitted_ts, final_state_ts) AS seconds'  # noqa: S608  times and numbers
        f" FROM sys.jobs_recent WHERE final_state_ts >= TIMESTAMP '{since:%Y-%m-%d %H:%M:%S}'"
        f" AND TIMESTAMPDIFF(SECOND, submitted_ts, final_state_ts) >= {declared.seconds}"
    )
    with DremioClient(look.settings.dremio, timeout=_SECONDS) as dremio:
        jobs = dremio.rows(sql, timeout=2 * _SECONDS)
    slow = [job for job in jobs if job["query"].lstrip(" (").upper().startswith(_WAITED_FOR)]
    if slow:
        worst = max(slow, key=lambda job: float(job["seconds"]))
        query = " ".join(worst["query"].split())[:120]
        yield Alert(
            name=AlertName.SLOW_QUERIES,
            subject="dremio",
            severity=Severity.WARNING,
            summary=f"queries that took {declared.seconds} s or more: {len(slow)}; the slowest"
            f" {worst['seconds']} s, of {worst['user_name']}, job {worst['job_id']}: {query}",
        )
