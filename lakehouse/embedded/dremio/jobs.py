"""Jobs: statements run in the background, their history, and their results as Arrow files."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from lakehouse.embedded.dremio.engine import Engine, Prepared
from lakehouse.embedded.dremio.errors import NotFoundError
from lakehouse.embedded.dremio.sql.model import SqlError
from lakehouse.embedded.dremio.store import Store, to_json
from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.json_lines import emit

WORKERS = 8
RESULTS_KEPT = 500
HISTORY_MS = 30 * 24 * 3600 * 1000
FLIGHT = "FLIGHT"
PLANNED_MS = 3600 * 1000
"""How long a statement that was planned for Flight waits to be read."""
_TIDIED_EVERY = 100
"""Jobs."""


@dataclass
class Job:
    """One statement. `done` is set when the state is final."""

    id: str
    user: str
    sql: str
    client: str
    started_at: int
    state: str = "PENDING"
    ended_at: int | None = None
    row_count: int | None = None
    error: str | None = None
    profile: dict[str, Any] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)
    prepared: Prepared | None = None
    read: bool = False
    """Whether a client of Flight has come for its rows."""
    cancelled: bool = False


class Jobs:
    """Runs and remembers. History survives a restart; a job that ran then is marked failed."""

    def __init__(self, home: Path, store: Store, engine: Engine) -> None:
        self._results = home / "results"
        self._results.mkdir(exist_ok=True)
        self._store = store
        self._engine = engine
        self._live: dict[str, Job] = {}
        self._begun = 0
        self._tidying = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="job")
        store.write(
            "UPDATE jobs SET state = 'FAILED', ended_at = ?, error = 'the engine was restarted while the job ran' "
            "WHERE state NOT IN ('COMPLETED', 'FAILED', 'CANCELED')",
            _now(),
        )
        self.tidy()

    def submit(self, sql: str, user: str) -> Job:
        """Start a statement in the background; its result goes to a file."""
        job = self._begin(sql, user, "REST")
        self._pool.submit(self._run, job)
        return job

    def prepare(self, sql: str, user: str) -> Job:
        """Check and plan a statement for Flight. Raises SqlError; the job is in the history then, too."""
        job = self._begin(sql, user, FLIGHT)
        try:
            self._plan(job)
        except (SqlError, EmbeddedError) as error:
            self._finish(job, "FAILED", error=str(error))
            raise
        return job

    def stream(self, job_id: str) -> tuple[pa.Schema, Any]:
        """The rows of a prepared job, run now; at least one batch. Raises NotFoundError for one already read."""
        job = self._live.get(job_id)
        if job is None or job.prepared is None:
            raise NotFoundError(f"job {job_id} is not waiting to be read")
        job.read = True
        return job.prepared.schema, self._streamed(job, job.prepared)

    def get(self, job_id: str, wait_seconds: float = 0) -> dict[str, Any]:
        """The job as stored, after waiting for its end at most `wait_seconds`. Raises NotFoundError."""
        live = self._live.get(job_id)
        if live is not None:
            live.done.wait(wait_seconds)
        row = self._store.row("SELECT * FROM jobs WHERE id = ?", job_id)
        if row is None:
            raise NotFoundError(f"no job {job_id}")
        return dict(row)

    def result(self, job_id: str, offset: int, limit: int) -> tuple[pa.Table, int]:
        """(rows, total) of a completed job. Raises NotFoundError when the result is no longer kept."""
        path = self._path(job_id)
        if not path.is_file():
            raise NotFoundError(f"job {job_id} has no result")
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source)
            total = sum(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))
            table = reader.read_all().slice(offset, limit)
            # The map goes away with this block, so the page is copied out of it.
            copied = pa.ipc.open_stream(_serialised(table)).read_all()
        return copied, total

    def cancel(self, job_id: str) -> None:
        """Stop a running job; one that has ended stays as it is."""
        job = self._live.get(job_id)
        if job is not None and not job.done.is_set():
            job.cancelled = True
            threading.Thread(target=_interrupt_until_done, args=(job,), daemon=True).start()

    def tidy(self) -> None:
        """Forget old jobs and results, and give up what was planned for Flight and nobody has read."""
        now = _now()
        with self._tidying:
            for job in list(self._live.values()):
                planned, waits = job.prepared, job.client == FLIGHT and not job.read
                if planned is not None and waits and job.started_at < now - PLANNED_MS:
                    self._finish(job, "CANCELED", error="nobody came to read it")
                    planned.close()
            self._store.write("DELETE FROM jobs WHERE started_at < ?", now - HISTORY_MS)
            files = sorted(self._results.glob("*.arrow"), key=lambda path: path.stat().st_mtime)
            for path in files[:-RESULTS_KEPT]:
                path.unlink()

    def stop(self) -> None:
        """Cancel what runs and wait for it."""
        for job_id in list(self._live):
            self.cancel(job_id)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, sql: str, user: str, client: str) -> Job:
        self._begun += 1
        if self._begun % _TIDIED_EVERY == 0:
            self.tidy()
        job = Job(str(uuid.uuid4()), user, sql, client, _now())
        self._live[job.id] = job
        self._store.write(
            "INSERT INTO jobs (id, user, sql, state, client, started_at) VALUES (?, ?, ?, 'PENDING', ?, ?)",
            job.id, user, sql, client, job.started_at,
        )  # fmt: skip
        return job

    def _plan(self, job: Job) -> None:
        job.prepared = self._engine.prepare(job.sql)
        job.profile = {
            "query_type": job.prepared.query_type,
            "datasets": ", ".join(".".join(path) for path in job.prepared.datasets),
            "reflections": [
                {
                    "reflection_id": u.reflection_id,
                    "dataset": list(u.dataset),
                    "relationship": u.relationship,
                    "reason": u.reason,
                }
                for u in job.prepared.uses
            ],
        }

    def _run(self, job: Job) -> None:
        try:
            self._plan(job)
            assert job.prepared is not None  # noqa: S101  _plan has just set it
            rows = self._write_result(job, job.prepared)
        except (SqlError, EmbeddedError, pa.ArrowException, OSError, duckdb.Error) as error:
            self._fail(job, error)
        except Exception as error:  # noqa: BLE001  a bug must fail its job, loudly, not hang its client
            emit(
                "dremio",
                f"job {job.id} failed inside the engine: {error!r}",
                "ERROR",
                job_id=job.id,
                sql=job.sql,
            )
            self._fail(job, error)
        else:
            self._finish(job, "COMPLETED", rows=rows)
        finally:
            if job.prepared is not None:
                job.prepared.close()

    def _write_result(self, job: Job, prepared: Prepared) -> int:
        rows = 0
        path = self._path(job.id)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, prepared.schema) as writer:
            for batch in prepared.batches():
                writer.write_batch(batch)
                rows += batch.num_rows
        return rows

    def _streamed(self, job: Job, prepared: Prepared) -> Any:
        rows = 0
        try:
            first = True
            for batch in prepared.batches():
                rows += batch.num_rows
                first = False
                yield batch
            if first:
                yield pa.RecordBatch.from_arrays(
                    [pa.array([], f.type) for f in prepared.schema], schema=prepared.schema
                )
        except (SqlError, EmbeddedError, pa.ArrowException, OSError, duckdb.Error) as error:
            self._fail(job, error)
            raise
        except GeneratorExit:
            self._finish(job, "CANCELED", error="the client stopped reading")
            raise
        else:
            self._finish(job, "COMPLETED", rows=rows)
        finally:
            prepared.close()

    def _fail(self, job: Job, error: Exception) -> None:
        if job.cancelled:
            self._finish(job, "CANCELED", error="the query was cancelled")
        else:
            self._finish(job, "FAILED", error=" ".join(str(error).split()) or repr(error))

    def _finish(self, job: Job, state: str, rows: int | None = None, error: str | None = None) -> None:
        self._store.write(
            "UPDATE jobs SET state = ?, ended_at = ?, row_count = ?, error = ?, profile = ? WHERE id = ?",
            state, _now(), rows, error, to_json(job.profile), job.id,
        )  # fmt: skip
        job.done.set()
        self._live.pop(job.id, None)

    def _path(self, job_id: str) -> Path:
        return self._results / f"{uuid.UUID(job_id)}.arrow"


def _interrupt_until_done(job: Job) -> None:
    """An interrupt that comes before the query runs is lost: repeat it."""
    while not job.done.wait(0.05):
        if job.prepared is not None:
            job.prepared.session.interrupt()


def _serialised(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _now() -> int:
    return int(time.time() * 1000)
