"""DuckDB as the muscle: one in-memory instance, a cursor a job, placeholders bound to files or Arrow tables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa

from lakehouse.embedded.dremio.sql.model import SqlError

BATCH_ROWS = 65_536
_MEMORY_SHARE = 0.35


class Executor:
    """Owns the DuckDB instance."""

    def __init__(self, home: Path) -> None:
        scratch = home / "scratch"
        scratch.mkdir(exist_ok=True)
        memory = int(psutil.virtual_memory().total * _MEMORY_SHARE)
        self._instance = duckdb.connect(
            config={
                "memory_limit": f"{memory}B",
                "temp_directory": str(scratch),
                "threads": os.cpu_count() or 1,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "preserve_insertion_order": True,
            }
        )
        # A plain SET would not reach the cursors of this instance.
        for statement in ("integer_division=true", "TimeZone='UTC'", "parquet_metadata_cache=true"):
            self._instance.execute(f"SET GLOBAL {statement}")

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
        self._instance.execute(f"LOAD '{extension}'")
        self._instance.execute(f"CREATE OR REPLACE SECRET lake (TYPE s3, {', '.join(options)})")

    def session(self) -> Session:
        """A new session for one job."""
        return Session(self._instance.cursor())

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
