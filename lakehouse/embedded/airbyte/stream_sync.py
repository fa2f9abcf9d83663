"""One stream of one job: rows go into landing files, and files become visible together with their state.

Order: a file's key is noted as intended, then the file is written aside. At a commit the files are renamed into
place, and one transaction records files, state and figures. What a kill leaves, the next start removes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lakehouse.embedded.airbyte.clock import epoch_ms
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.landing.cleanup import forget_older_generations, schedule_cleanup
from lakehouse.embedded.airbyte.landing.configuration import S3Configuration
from lakehouse.embedded.airbyte.landing.paths import StreamPath, stream_path
from lakehouse.embedded.airbyte.landing.target import LandingTarget
from lakehouse.embedded.airbyte.landing.writer import FILE_BYTES, LandedFile, StreamWriter
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.store import Row, Store

_REPORT_EVERY_MS = 1000


@dataclass(frozen=True)
class Sync:
    """What all streams of a job share."""

    store: Store
    target: LandingTarget
    log: Callable[[str, str], None]
    job_id: int
    connection: Mapping[str, Any]
    destination_id: str
    destination: S3Configuration
    started_ms: int


def landing_names(connection: Mapping[str, Any], stream: ConfiguredStream) -> tuple[str, str]:
    """The namespace and stream name under which a connection lands a stream."""
    return landing_name_of(connection, stream.namespace or "", stream.name)


def landing_name_of(connection: Mapping[str, Any], source: str, name: str) -> tuple[str, str]:
    """The same for a stream of which only namespace (or "") and name are known."""
    definition = connection["namespace_definition"]
    if definition == "custom_format":
        namespace = connection["namespace_format"].replace("${SOURCE_NAMESPACE}", source)
    else:
        namespace = source if definition == "source" else ""
    return namespace, connection["prefix"] + name


def commit_together(
    sync: Sync,
    streams: Sequence[StreamSync],
    remember: Callable[[], None],
    *,
    complete: Sequence[StreamSync] = (),
) -> None:
    """Makes the rows of all streams visible in one transaction; `remember` stores in it the state they reach.

    Of the `complete` ones, generations older than the minimum are removed afterwards.
    Raises JobEndedError when the job was ended meanwhile.
    """
    for stream in complete:
        stream.mark_empty()
    finished = [(stream, stream.finish_files()) for stream in streams]
    with sync.store.transaction():
        sync.store.require_running(sync.job_id)
    sync.target.publish(sync.job_id, [file.key for _, files in finished for file in files])
    with sync.store.transaction():
        sync.store.require_running(sync.job_id)
        for stream, files in finished:
            stream.record(files)
        remember()
        for stream in complete:
            stream.note_finished()
        cleanups = [cleanup for stream in complete if (cleanup := stream.note_cleanup()) is not None]
    for cleanup in cleanups:
        forget_older_generations(sync.store, sync.target, cleanup)


class StreamSync:
    """Writes and commits one stream."""

    def __init__(self, sync: Sync, stream: ConfiguredStream) -> None:
        self.stream = stream
        self._sync = sync
        self._store = sync.store
        namespace, name = landing_names(sync.connection, stream)
        self._path: StreamPath = stream_path(sync.destination, namespace, name, sync.job_id, sync.started_ms)
        self._key = (sync.job_id, stream.namespace or "", stream.name)
        self._writer = StreamWriter(
            sync.target,
            self._path,
            stream.columns,
            job_id=sync.job_id,
            generation_id=stream.generation_id,
            codec=sync.destination.format.compression_codec,
            announce=self._intend,
        )
        self._state: Mapping[str, Any] | None = None
        self._emitted = self._uncommitted = 0
        self._bytes = self._uncommitted_bytes = 0
        self._states = 0
        self._landed_rows = 0  # of this generation
        self._reported = 0
        self.committed = 0
        sync.store.insert(
            "job_streams", {"job_id": self._key[0], "namespace": self._key[1], "name": self._key[2]}
        )

    def write(self, batch: LandingBatch) -> None:
        """Adds rows to the landing files."""
        self._writer.write(batch)
        self._emitted += batch.rows.num_rows
        self._uncommitted += batch.rows.num_rows
        self._landed_rows += batch.rows.num_rows
        self._bytes += batch.source_bytes
        self._uncommitted_bytes += batch.source_bytes
        if epoch_ms() - self._reported >= _REPORT_EVERY_MS:
            self._reported = epoch_ms()
            with self._store.transaction():
                self._report()

    def reach(self, state: Mapping[str, Any]) -> None:
        """Note the state that covers every row so far; commit when much waits and appending allows it."""
        self._state = state
        self._states += 1
        if self._uncommitted_bytes >= FILE_BYTES and self.stream.destination_sync_mode == "append":
            self.commit()

    def commit(self, *, complete: bool = False) -> None:
        """Makes the rows so far visible together with the state they reach.

        With `complete`, files of generations older than the minimum are removed afterwards (overwrite).
        Raises JobEndedError when the job was ended meanwhile.
        """

        def remember() -> None:
            if self._state is not None:
                self._store.set_state(self._sync.connection["id"], self._key[1], self._key[2], self._state)

        commit_together(self._sync, [self], remember, complete=[self] if complete else [])

    @property
    def buffered_bytes(self) -> int:
        """Memory that rows take which are not in a file yet."""
        return self._writer.buffered_bytes

    def spill(self) -> None:
        """Moves buffered rows into the open file, which stays invisible."""
        self._writer.spill()

    @property
    def dirty(self) -> bool:
        """Whether rows wait for a commit."""
        return self._uncommitted > 0

    def begin_generation(self) -> None:
        """What is written from here on supersedes all that was landed before, once it is complete."""
        kept = self._store.next_generation(self._sync.connection["id"], *self._key[1:], new=True)
        generation: int = kept["generation_id"]
        self.stream = replace(self.stream, generation_id=generation, minimum_generation_id=generation)
        self._writer.begin_generation(generation)
        self._landed_rows = 0

    def mark_empty(self) -> None:
        """A generation without rows is shown by an empty file, where it supersedes one that is landed."""
        if self.stream.minimum_generation_id == 0 or self._landed_rows:
            return
        landed = (
            "SELECT 1 FROM landing_files WHERE destination_id = ? AND namespace = ? AND stream = ?"
            " AND committed = 1 AND rows > 0"
        )
        if self._store.row(landed, self._sync.destination_id, *self._key[1:]) is not None:
            self._writer.begin_file()

    def finish_files(self) -> list[LandedFile]:
        """Closes the open file and returns the files finished since the last call."""
        return self._writer.finish()

    def record(self, files: Sequence[LandedFile]) -> None:
        """Notes the files as visible; call it in the transaction that commits them."""
        for file in files:
            self._store.execute(
                "UPDATE landing_files SET committed = 1, rows = ?, bytes = ?"
                " WHERE destination_id = ? AND key = ?",
                file.rows, file.bytes, self._sync.destination_id, file.key,
            )  # fmt: skip
        self.committed += self._uncommitted
        self._uncommitted = self._uncommitted_bytes = 0
        self._store.execute(
            "UPDATE job_streams SET records_committed = ?, bytes_committed = bytes_committed + ?"
            " WHERE job_id = ? AND namespace = ? AND name = ?",
            self.committed, sum(file.bytes for file in files), *self._key,
        )  # fmt: skip
        self._report()
        if files:
            self._sync.log(
                "INFO", f"stream {self.stream.name}: {self.committed} records committed, {len(files)} files"
            )

    def note_finished(self) -> None:
        """Notes that the stream was read to its end: a further attempt of a full refresh leaves it alone."""
        place = dict(zip(("job_id", "namespace", "name"), self._key, strict=True))
        self._store.insert("finished_streams", place)

    def note_cleanup(self) -> Row | None:
        """Notes, in the same transaction, that older generations are to go where the minimum says so."""
        if self.stream.minimum_generation_id == 0:
            return None
        return schedule_cleanup(
            self._store, self._sync.destination_id, self._path, self.stream.minimum_generation_id
        )

    def _intend(self, key: str) -> None:
        with self._store.transaction():
            self._store.require_running(self._sync.job_id)
            file = {
                "destination_id": self._sync.destination_id,
                "key": key,
                "job_id": self._sync.job_id,
                "namespace": self._key[1],
                "stream": self._key[2],
                "rows": 0,
                "bytes": 0,
            }
            self._store.insert("landing_files", file)

    def _report(self) -> None:
        self._store.execute(
            "UPDATE job_streams SET records_emitted = ?, bytes_emitted = ?, states = ?"
            " WHERE job_id = ? AND namespace = ? AND name = ?",
            self._emitted, self._bytes, self._states, *self._key,
        )  # fmt: skip
        self._store.execute("UPDATE jobs SET updated_at = ? WHERE id = ?", epoch_ms(), self._sync.job_id)
