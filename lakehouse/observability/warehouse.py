"""What Dremio did in the last day: its slowest queries, and how often each reflection answered one."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse.clients.dremio import DremioClient
from lakehouse.clients.http import one_line
from lakehouse.settings_sections import DremioSettings

WINDOW = timedelta(days=1)
_SECONDS = 5.0
MOST_JOBS = 1000
_MOST_ASKED = 50
_WAITED_FOR = ("SELECT", "WITH")
# Columns of Dremio's system table: https://docs.dremio.com/current/reference/sql/system-tables/jobs_recent/
_JOBS = (
    'SELECT job_id, user_name, queried_datasets, accelerated, submitted_ts, final_state_ts, SUBSTR("query", 1, 400) AS q'
    " FROM sys.jobs_recent WHERE status = 'COMPLETED' AND final_state_ts >= TIMESTAMP '{since}'"
    " AND \"query\" NOT LIKE '%sys.jobs_recent%' ORDER BY submitted_ts DESC LIMIT {most}"
)


@dataclass(frozen=True)
class Query:
    """One that somebody waited for."""

    job_id: str
    user: str
    sql: str
    """On one line, its beginning."""
    datasets: str
    accelerated: bool
    started: datetime
    seconds: float


@dataclass(frozen=True)
class Use:
    """How often a reflection answered a query."""

    times: int
    saved_seconds: float | None
    """Against the median of what queries of the same datasets took without a reflection; None where there were none."""


@dataclass(frozen=True)
class Work:
    queries: Sequence[Query]
    """Newest first."""
    uses: Mapping[str, Use]
    """By a reflection's id."""


class Warehouse:
    """Looks at one Dremio, and asks it once about each job."""

    def __init__(self, settings: DremioSettings, most_asked: int = _MOST_ASKED) -> None:
        """`most_asked` jobs of one look it asks Dremio about, each by itself; the others are of the next looks."""
        self._dremio = DremioClient(settings, timeout=_SECONDS)
        self._chosen: dict[str, list[str]] = {}
        self._most_asked = most_asked
        self._lock = threading.Lock()

    def look(self) -> Work:
        """What it did within WINDOW, of its newest thousand jobs.

        Raises:
            LakehouseError: Dremio does not answer, or not as it should.
        """
        since = datetime.now(UTC) - WINDOW
        dremio = self._dremio
        with self._lock:
            asked = _JOBS.format(since=f"{since:%Y-%m-%d %H:%M:%S}", most=MOST_JOBS)
            queries = [_query(job) for job in dremio.rows(asked, timeout=2 * _SECONDS)]
            queries = [query for query in queries if query.sql.lstrip(" (").upper().startswith(_WAITED_FOR)]
            accelerated = [query.job_id for query in queries if query.accelerated]
            self._chosen = {id_: self._chosen[id_] for id_ in accelerated if id_ in self._chosen}
            for id_ in [id_ for id_ in accelerated if id_ not in self._chosen][: self._most_asked]:
                self._chosen[id_] = dremio.chosen_reflections(id_)
            return Work(queries, uses_of(queries, self._chosen))


def uses_of(queries: Sequence[Query], chosen: Mapping[str, Sequence[str]]) -> dict[str, Use]:
    """By reflection, given which reflections each job was answered from."""
    plain: dict[str, list[float]] = {}
    for query in queries:
        if not query.accelerated:
            plain.setdefault(query.datasets, []).append(query.seconds)
    usual = {datasets: statistics.median(seconds) for datasets, seconds in plain.items()}
    by_reflection: dict[str, list[Query]] = {}
    for query in queries:
        for reflection in chosen.get(query.job_id, ()):
            by_reflection.setdefault(reflection, []).append(query)
    found = {}
    for reflection, answered in by_reflection.items():
        saved = [
            max(0.0, usual[query.datasets] - query.seconds) for query in answered if query.datasets in usual
        ]
        found[reflection] = Use(len(answered), round(sum(saved), 3) if saved else None)
    return found


def _query(job: dict[str, Any]) -> Query:
    started, ended = _moment(job["submitted_ts"]), _moment(job["final_state_ts"])
    return Query(
        job["job_id"],
        job["user_name"],
        one_line(job["q"], 300),
        job["queried_datasets"] or "",
        bool(job["accelerated"]),
        started,
        max(0.0, (ended - started).total_seconds()),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "")).replace(tzinfo=UTC)
