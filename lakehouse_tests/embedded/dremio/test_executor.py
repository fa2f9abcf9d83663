"""The muscle keeps little of what it has read, and replaces itself under sessions at work."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.embedded.dremio.executor import Executor

_CACHED = "SELECT sum(memory_usage_bytes) AS bytes FROM duckdb_memory() WHERE tag LIKE '%_CACHE'"


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[Executor]:
    executor = Executor(tmp_path)
    yield executor
    executor.close()


def asked(executor: Executor, sql: str) -> pa.Table:
    session = executor.session()
    try:
        return session.table(sql)
    finally:
        session.close()


def test_files_that_were_read_do_not_fill_the_memory(executor: Executor, tmp_path: Path) -> None:
    executor.most_cached_bytes = 200_000
    table = pa.table({f"c{number}": [number] for number in range(8)})
    for number in range(400):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(table, path)
        assert asked(executor, f"SELECT c7 FROM read_parquet('{path}')").column(0).to_pylist() == [7]
    # Of 400 files it would be 5 MB; of as many as are read between two looks it is less than half of that.
    assert 0 < asked(executor, _CACHED).column(0)[0].as_py() < 2_500_000


def test_a_session_outlives_the_instance_that_it_began_with(executor: Executor) -> None:
    executor.most_cached_bytes = -1
    session = executor.session()
    session.bind("numbers", pa.table({"n": range(500_000)}))
    reader = session.reader("SELECT n FROM numbers")
    rows = reader.read_next_batch().num_rows
    for _ in range(250):
        assert asked(executor, "SELECT 7 / 2 AS x").column(0).to_pylist() == [
            3
        ]  # settings of the new one, too
    assert rows + sum(batch.num_rows for batch in reader) == 500_000
    assert session.table("SELECT max(n) FROM numbers").column(0).to_pylist() == [499_999]
    session.close()
