"""Reflections: definitions, builds as parquet files, and which of them may answer a query now.

A build remembers the snapshots of all base tables it was made from; when one of them has moved on, the
reflection is stale and no candidate until its next refresh. A dataset is known by its path, so that a table
that dbt drops and creates again keeps its reflections.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import pyarrow.parquet as pq

from lakehouse.embedded.dremio.arrow import cast_batches, stored_schema
from lakehouse.embedded.dremio.definitions import candidate_of, check_definition
from lakehouse.embedded.dremio.errors import ConflictError, NotFoundError
from lakehouse.embedded.dremio.executor import Executor
from lakehouse.embedded.dremio.resolver import CatalogResolver
from lakehouse.embedded.dremio.sql import parse, plan
from lakehouse.embedded.dremio.sql.match import build_sql
from lakehouse.embedded.dremio.sql.model import Path, Query, ReflectionCandidate, SqlError
from lakehouse.embedded.dremio.store import Store, to_json
from lakehouse.embedded.json_lines import emit

GIVE_UP_AFTER = 3


@dataclass
class Build:
    """What a finished refresh left: file, size, and the snapshots it holds."""

    file: str
    rows: int
    size: int
    seconds: float
    snapshots: dict[str, str]
    fetched_at: int


class Reflections:
    """The manager. Builds run one at a time in the background."""

    def __init__(self, home: FilePath, store: Store, executor: Executor) -> None:
        self._home = home / "reflections"
        self._home.mkdir(exist_ok=True)
        self._store = store
        self._executor = executor
        self._resolver: Callable[[], CatalogResolver] | None = None
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="reflection")
        self._queued: set[str] = set()
        self._guard = threading.Lock()

    def start(self, resolver: Callable[[], CatalogResolver]) -> None:
        """Begin to build; removes what half builds left and queues what a stop interrupted."""
        self._resolver = resolver
        known = {row["id"]: json.loads(row["body"]) for row in self._store.rows("SELECT * FROM reflections")}
        keep = {body["build"]["file"] for body in known.values() if body.get("build")}
        for path in self._home.iterdir():
            if path.name not in keep:
                path.unlink() if path.is_file() else shutil.rmtree(path)
        for reflection_id, body in known.items():
            if body["refresh"] in ("PENDING", "RUNNING"):
                self._queue(reflection_id)

    def stop(self) -> None:
        """Wait for the build that runs; forget the others until the next start."""
        self._builder.shutdown(wait=True, cancel_futures=True)

    # --- definitions

    def create(self, dataset: Path, definition: dict[str, Any]) -> dict[str, Any]:
        """Store a checked definition and queue its first build.

        Raises:
            BadRequestError: a wrong definition. ConflictError: the dataset has one of that name.
        """
        relation = self._resolve(dataset)
        definition = check_definition(definition, relation)
        if any(other["definition"]["name"] == definition["name"] for other in self.of_dataset(relation.path)):
            raise ConflictError(
                f"a reflection named {definition['name']} already exists on {'.'.join(dataset)}"
            )
        body = {
            "definition": definition,
            "created_at": _now(),
            "tag": uuid.uuid4().hex,
            "refresh": "PENDING",
            "failures": 0,
        }
        reflection_id = str(uuid.uuid4())
        self._store.write(
            "INSERT INTO reflections VALUES (?, ?, ?)",
            reflection_id,
            to_json(list(relation.path)),
            to_json(body),
        )
        self._queue(reflection_id)
        return self.get(reflection_id)

    def update(self, reflection_id: str, definition: dict[str, Any], tag: str | None) -> dict[str, Any]:
        """Replace a definition; builds anew when it changed.

        Raises:
            ConflictError: the tag is not the current one.
        """
        found = self.get(reflection_id)
        if tag is not None and tag != found["tag"]:
            raise ConflictError(f"reflection {reflection_id} was changed by somebody else; read it again")
        definition = check_definition(definition, self._resolve(found["dataset"]))
        if definition != found["definition"]:
            self._change(
                reflection_id,
                definition=definition,
                tag=uuid.uuid4().hex,
                refresh="PENDING",
                failures=0,
                build=None,
            )
            self._queue(reflection_id)
        return self.get(reflection_id)

    def delete(self, reflection_id: str) -> None:
        """Forget a reflection and its file."""
        found = self.get(reflection_id)
        self._store.write("DELETE FROM reflections WHERE id = ?", reflection_id)
        self._remove_file(found.get("build"))

    def get(self, reflection_id: str) -> dict[str, Any]:
        """The stored state with `id` and `dataset`. Raises NotFoundError."""
        row = self._store.row("SELECT * FROM reflections WHERE id = ?", reflection_id)
        if row is None:
            raise NotFoundError(f"no reflection {reflection_id}")
        return _state(row)

    def all(self) -> list[dict[str, Any]]:
        """Every reflection."""
        return [_state(row) for row in self._store.rows("SELECT * FROM reflections ORDER BY id")]

    def of_dataset(self, dataset: Path) -> list[dict[str, Any]]:
        """The reflections of one dataset."""
        wanted = [part.lower() for part in dataset]
        return [state for state in self.all() if [part.lower() for part in state["dataset"]] == wanted]

    # --- refresh

    def refresh_dataset(self, dataset: Path) -> None:
        """Queue a build of every reflection of a dataset."""
        for state in self.of_dataset(dataset):
            self._change(state["id"], refresh="PENDING", failures=0)
            self._queue(state["id"])

    def candidates(self, resolver: CatalogResolver) -> tuple[ReflectionCandidate, ...]:
        """Reflections that are built, enabled and hold just what the statement's resolver sees."""
        found = []
        for state in self.all():
            build = state.get("build")
            if build and state["definition"]["enabled"] and self._fresh(build, resolver):
                found.append(candidate_of(state["id"], state["dataset"], state["definition"], build["rows"]))
        return tuple(found)

    def is_stale(self, state: dict[str, Any]) -> bool:
        """Whether base tables have moved on since the build."""
        return bool(state.get("build")) and not self._fresh(state["build"], self._new_resolver())

    def select_sql(self, reflection_id: str) -> str:
        """A DuckDB SELECT over the build's file."""
        path = self._home / self.get(reflection_id)["build"]["file"]
        return f"SELECT * FROM read_parquet('{path}')"  # noqa: S608

    def _fresh(self, build: dict[str, Any], resolver: CatalogResolver) -> bool:
        return all(
            current_snapshot(resolver, name) == snapshot for name, snapshot in build["snapshots"].items()
        )

    def _queue(self, reflection_id: str) -> None:
        with self._guard:
            if reflection_id in self._queued:
                return
            self._queued.add(reflection_id)
        self._builder.submit(self._run, reflection_id)

    def _run(self, reflection_id: str) -> None:
        with self._guard:
            self._queued.discard(reflection_id)
        try:
            state = self.get(reflection_id)
        except NotFoundError:
            return
        self._change(reflection_id, refresh="RUNNING")
        try:
            build = self._build(state)
        except (SqlError, OSError) as error:
            failures = int(state["failures"]) + 1
            emit(
                "dremio",
                f"reflection {state['definition']['name']} failed: {error}",
                "ERROR",
                reflection_id=reflection_id,
            )
            given_up = failures >= GIVE_UP_AFTER
            self._change(
                reflection_id,
                failures=failures,
                refresh="GIVEN_UP" if given_up else "PENDING",
                problem=str(error),
            )
            if not given_up:
                self._queue(reflection_id)
            return
        before = state.get("build")
        if self._change(reflection_id, build=vars(build), failures=0, refresh="MANUAL", problem=None):
            self._remove_file(before)
        else:
            (self._home / build.file).unlink(missing_ok=True)

    def _build(self, state: dict[str, Any]) -> Build:
        started = time.monotonic()
        resolver = self._new_resolver()
        relation = resolver.resolve(state["dataset"])
        candidate = candidate_of(state["id"], state["dataset"], state["definition"], 0)
        statement = parse(build_sql(candidate, relation))
        assert isinstance(statement, Query)  # noqa: S101  build_sql writes a SELECT
        planned = plan(statement.tree, resolver)
        session = self._executor.session()
        target = self._home / f"{state['id']}-{uuid.uuid4().hex}.parquet"
        try:
            for scan in planned.scans:
                resolver.bind(session, scan)
            order = [
                field["name"]
                for field in (
                    *state["definition"].get("partitionFields", ()),
                    *state["definition"].get("sortFields", ()),
                )
            ]
            names = ", ".join(f'"{name}"' for name in planned.names)
            sorting = f" ORDER BY {', '.join(chr(34) + name + chr(34) for name in order)}" if order else ""
            sql = f"SELECT * FROM ({planned.sql}) AS q({names}){sorting}"  # noqa: S608
            schema = stored_schema(session.schema(sql), planned.names)
            rows = 0
            with pq.ParquetWriter(target, schema, compression="zstd") as writer:
                for batch in cast_batches(session.reader(sql), schema):
                    writer.write_batch(batch)
                    rows += batch.num_rows
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        finally:
            session.close()
        seconds = round(time.monotonic() - started, 3)
        return Build(
            target.name, rows, target.stat().st_size, seconds, resolver.snapshots(planned.scans), _now()
        )

    def _change(self, reflection_id: str, **changes: Any) -> bool:
        """Merge changes into the stored body; False when the reflection is gone."""
        with self._store.transaction() as connection:
            row = connection.execute("SELECT body FROM reflections WHERE id = ?", (reflection_id,)).fetchone()
            if row is None:
                return False
            body = {**json.loads(row["body"]), **changes}
            connection.execute("UPDATE reflections SET body = ? WHERE id = ?", (to_json(body), reflection_id))
        return True

    def _remove_file(self, build: dict[str, Any] | None) -> None:
        if build:
            (self._home / build["file"]).unlink(missing_ok=True)

    def _resolve(self, dataset: Path) -> Any:
        return self._new_resolver().resolve(dataset)

    def _new_resolver(self) -> CatalogResolver:
        assert self._resolver is not None, "start() comes first"  # noqa: S101
        return self._resolver()


def current_snapshot(resolver: CatalogResolver, name: str) -> str | None:
    """`uuid:snapshot` of the table of that dotted, lower-case name; None when it is gone."""
    table = resolver.table(tuple(name.split(".")))
    if table is None:
        return None
    snapshot = table.current_snapshot()
    return f"{table.metadata.table_uuid}:{snapshot.snapshot_id if snapshot else None}"


def _state(row: Any) -> dict[str, Any]:
    return {**json.loads(row["body"]), "id": row["id"], "dataset": tuple(json.loads(row["dataset"]))}


def _now() -> int:
    return int(time.time() * 1000)
