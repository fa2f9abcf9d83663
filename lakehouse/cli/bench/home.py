"""A home directory of its own, on free ports, in which commands run as a person runs them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import PermanentError


@dataclass(frozen=True)
class BenchHome:
    path: Path

    @property
    def environ(self) -> dict[str, str]:
        """For processes: the machine's environment without its settings of another lakehouse."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
        return {**kept, "LAKEHOUSE_HOME": str(self.path)}

    def run(self, *arguments: str) -> str:
        """What a command printed. Raises PermanentError with its last words when it fails."""
        command = [sys.executable, "-m", "lakehouse.cli", *arguments]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode:
            said = " ".join((done.stdout + done.stderr).split())[-600:]
            raise PermanentError(f"failed: {said}", where=f"lakehouse {' '.join(arguments)}")
        return done.stdout

    def content_hash(self, table: str) -> str:
        """SHA-256 over all rows of `lake.<table>` in one order, as Arrow Flight answers them."""
        from pyarrow import parquet

        file = self.path / "answer.parquet"
        self.run("query", f"select * from lake.{table}", "--format", "parquet", "--output", str(file))  # noqa: S608  a table of ours
        answer = parquet.read_table(file)
        rows = sorted(repr(sorted(row.items())) for row in answer.to_pylist())
        return hashlib.sha256("\n".join([str(answer.schema), *rows]).encode()).hexdigest()


@contextmanager
def bench_home() -> Iterator[BenchHome]:
    """The home; the stack that commands started in it is stopped at the end, and the directory removed."""
    from lakehouse.embedded.credentials import ensure_credentials
    from lakehouse.embedded.ports import free_port
    from lakehouse.embedded.stack import stop_stack

    names = ("POSTGRES__PORT", "DREMIO__PORT", "DREMIO__FLIGHT_PORT", "DAGSTER__PORT", "API__PORT")
    ports = {f"LAKEHOUSE_{name}": str(free_port()) for name in names}
    ports["LAKEHOUSE_AIRBYTE__URL"] = f"http://127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as directory:
        home = BenchHome(Path(directory))
        ensure_credentials(home.path, ports)
        try:
            yield home
        finally:
            stop_stack(home.path)
