"""DuckDB as the muscle: one in-memory instance, a cursor a job, placeholders bound to files or Arrow tables."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa

from lakehouse.embedded.dremio.sql.model import SqlError

BATCH_ROWS = 65_536
_MEMORY_SHARE = 0.35
_LOOK_EVERY = 100
_CACHED = """
SELECT coalesce(sum(memory_usage_bytes), 0) FROM duckdb_memory()
WHERE tag IN ('OBJECT_CACHE', 'EXTERNAL_FILE_CACHE')
"""


class Executor:
    """Owns the DuckDB instance."""

    most_cached_bytes = 128 * 1024 * 1024

    def __init__(self, home: Path) -> None:
        self._scratch = home / "scratch"
        self._scratch.mkdir(exist_ok=True)
        self._on_opening: list[str] = []
        self._sessions = 0
        self._guard = threading.Lock()
        self._instance = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        memory = int(psutil.virtual_memory().total * _MEMORY_SHARE)
        instance = duckdb.connect(
            config={
                "memory_limit": f"{memory}B",
                "temp_directory": str(self._scratch),
                "threads": os.cpu_count() or 1,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "preserve_insertion_order": True,
                # The system keeps files of this machine in memory by itself.
                "enable_external_file_cache": False,
            }
        )
        # A plain SET would not reach the cursors of this instance.
        for setting in ("integer_division=true", "TimeZone='UTC'", "parquet_metadata_cache=true"):
            instance.execute(f"SET GLOBAL {setting}")
        for statement in self._on_opening:
            instance.execute(statement)
        return instance

    def load_s3(self, properties: Mapping[str, str]) -> None:
        """Make `s3://` readable: httpfs from its wheel, with the source's options under pyiceberg's names."""
        import duckdb_extension_httpfs

        folder = Path(duckdb_extension_httpfs.__file__).parent
        extension = next(folder.rglob("httpfs.duckdb_extension"))
        endpoint = properties.get("s3.endpoint", "")
        parts = {
            "KEY_ID": properties.get("s3.access-key-id"),
            "SECRET": properties.get("s3.secret-access-key"),
            "REGION": properties.get("s3.region"),
            "ENDPOINT": endpoint.partition("://")[2] or None,
            "URL_STYLE": "path" if endpoint else None,
        }
        options = [
            f"{name} '{value.replace(chr(39), chr(39) * 2)}'" for name, value in parts.items() if value
        ]
        options.append(f"USE_SSL {'false' if endpoint.startswith('http://') else 'true'}")
        with self._guard:
            self._on_opening = [
                f"LOAD '{extension}'",
                f"CREATE OR REPLACE SECRET lake (TYPE s3, {', '.join(options)})",
                "SET GLOBAL enable_external_file_cache=true",
            ]
            for statement in self._on_opening:
                self._instance.execute(statement)

    def session(self) -> Session:
        """A new session for one job."""
        with self._guard:
            self._sessions += 1
            if self._sessions % _LOOK_EVERY == 0 and self._cached_bytes() > self.most_cached_bytes:
                # What it knows of files that are long replaced goes with it, when the last of its sessions closes;
                # closed here, it would close them.
                self._instance = self._open()
            return Session(self._instance.cursor())

    def _cached_bytes(self) -> int:
        """Of files, which DuckDB would keep until its memory is full."""
        row = self._instance.execute(_CACHED).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Release the instance."""
        self._instance.close()


class Session:
    """One job's cursor; its temporary views are its own."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def bind(self, placeholder: str, source: str | pa.Table) -> None:
        """Make a placeholder readable: a SELECT over files, or an Arrow table."""
        if isinstance(source, str):
            self._run(f'CREATE OR REPLACE TEMP VIEW "{placeholder}" AS {source}')
        else:
            self._cursor.register(placeholder, source)

    def reader(self, sql: str) -> pa.RecordBatchReader:
        """The result as a stream. Raises SqlError with DuckDB's message on one line."""
        try:
            return self._cursor.execute(sql).to_arrow_reader(BATCH_ROWS)
        except duckdb.Error as error:
            raise SqlError(_message(error)) from None

    def table(self, sql: str) -> pa.Table:
        """The whole result."""
        return read_all(self.reader(sql))

    def schema(self, sql: str) -> pa.Schema:
        """The schema of a query's result; nothing is computed."""
        return self.reader(f"SELECT * FROM ({sql}) LIMIT 0").schema  # noqa: S608

    def interrupt(self) -> None:
        """Stop what runs; the reader of it fails."""
        self._cursor.interrupt()

    def close(self) -> None:
        """Drop the cursor and its views."""
        self._cursor.close()

    def _run(self, sql: str) -> Any:
        try:
            return self._cursor.execute(sql)
        except duckdb.Error as error:
            raise SqlError(_message(error)) from None


def read_all(reader: pa.RecordBatchReader) -> pa.Table:
    """All batches. Raises SqlError when the query fails on the way."""
    try:
        return reader.read_all()
    except (pa.ArrowException, OSError, duckdb.Error) as error:
        raise SqlError(_message(error)) from None


def _message(error: Exception) -> str:
    return " ".join(str(error).split("\n\n")[0].split())
