"""CSV into landing files, beside pyarrow alone on the same file: reading it, and reading and writing it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lakehouse.cli.bench.result import Result, at_least

BUDGET = 200.0  # MB a second of processor time
_ROWS = 5_000_000
_CHUNK = 500_000


def files(scratch: Path) -> list[Result]:
    """Reads a CSV file of about 500 MB, each way in a process of its own; MB per second of processor time."""
    folder = scratch / "csv"
    folder.mkdir()
    path = folder / "mixed.csv"
    _write(path)
    megabytes = path.stat().st_size / 1e6
    landing = megabytes / _processor_seconds("land", folder)
    alone = megabytes / _processor_seconds("parse", folder)
    bare = megabytes / _processor_seconds("copy", folder)
    return [
        at_least("ingest.csv", landing, BUDGET, goal=1.0, of="the budget", unit="MB/s"),
        at_least("ingest.csv_parsed", landing, alone, goal=0.3, of="pyarrow.csv alone", unit="MB/s"),
        at_least("ingest.csv_copied", landing, bare, goal=0.5, of="pyarrow from CSV to Parquet", unit="MB/s"),
    ]


def _processor_seconds(what: str, folder: Path) -> float:
    command = [sys.executable, "-m", "lakehouse.cli.bench.ingest_files", what, str(folder)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


def _write(path: Path) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pacsv

    random = np.random.default_rng(7)
    statuses = np.array(["new", "paid", "shipped", "returned"])
    notes = np.array(["", "leave at the door", "call before delivery, please", "gift wrapped"])
    with path.open("wb") as sink:
        for start in range(0, _ROWS, _CHUNK):
            moments = random.integers(1_600_000_000, 1_700_000_000, _CHUNK)
            table = pa.table(
                {
                    "order_id": np.arange(start, start + _CHUNK),
                    "customer_id": random.integers(0, 1_000_000, _CHUNK),
                    "status": statuses[random.integers(0, 4, _CHUNK)],
                    "note": notes[random.integers(0, 4, _CHUNK)],
                    "amount": np.round(random.random(_CHUNK) * 1e4, 2),
                    "weight": np.round(random.random(_CHUNK), 6),
                    "paid": random.random(_CHUNK) < 0.5,
                    "day": pa.array((moments // 86_400).astype("int32"), pa.int32()).cast(pa.date32()),
                    "placed_at": pa.array(moments, pa.timestamp("s")),
                    "reference": np.char.add("R-", random.integers(10**9, 10**10, _CHUNK).astype(str)),
                }
            )
            pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=start == 0))


def _land(folder: Path) -> None:
    from lakehouse.embedded.airbyte.connectors.files.source import FilesSource, read_direct
    from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
    from lakehouse.embedded.airbyte.landing.configuration import ParquetFormat, S3Configuration
    from lakehouse.embedded.airbyte.landing.paths import stream_path
    from lakehouse.embedded.airbyte.landing.target import DirectoryTarget
    from lakehouse.embedded.airbyte.landing.writer import StreamWriter

    streams = [{"name": "mixed", "globs": ["mixed.csv"], "format": {"filetype": "csv"}}]
    configuration: dict[str, Any] = {"root": str(folder), "streams": streams}
    (offered,) = FilesSource().discover(configuration)
    stream = ConfiguredStream.from_json({"stream": offered, "sync_mode": "incremental"})
    destination = S3Configuration(
        s3_bucket_name="lake", s3_bucket_path="landing", format=ParquetFormat("Parquet", "SNAPPY")
    )
    path = stream_path(destination, "bench", "mixed", 1, 0)
    target = DirectoryTarget(folder / "lake")
    writer = StreamWriter(target, path, stream.columns, job_id=1, generation_id=0)
    started = time.process_time()
    for item in read_direct(configuration, stream, None):
        if not isinstance(item, StreamState):
            writer.write(item)
    target.publish(1, [file.key for file in writer.finish()])
    print(time.process_time() - started)


def _parse(folder: Path) -> None:
    started = time.process_time()
    for _ in _bare(folder):
        pass
    print(time.process_time() - started)


def _copy(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    started = time.process_time()
    reader = _bare(folder)
    with pq.ParquetWriter(folder / "bare.parquet", reader.schema, data_page_size=2**20) as writer:
        waiting: list[pa.RecordBatch] = []
        for batch in reader:
            waiting.append(batch)
            if sum(found.num_rows for found in waiting) >= _CHUNK:
                writer.write_table(pa.Table.from_batches(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting))
    print(time.process_time() - started)


def _bare(folder: Path) -> Any:
    import pyarrow.csv as pacsv

    options = pacsv.ReadOptions(use_threads=False, block_size=2**20)
    return pacsv.open_csv(folder / "mixed.csv", options)


if __name__ == "__main__":
    {"land": _land, "parse": _parse, "copy": _copy}[sys.argv[1]](Path(sys.argv[2]))
