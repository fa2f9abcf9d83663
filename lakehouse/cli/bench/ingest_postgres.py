"""Full refreshes of Postgres into landing, beside a bare binary COPY and beside dlt with connectorx."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from lakehouse.cli.bench.laboratory import DATABASE, PAUSE_SECONDS, Laboratory, laboratory
from lakehouse.cli.bench.result import Result, at_least, at_most
from lakehouse.errors import PermanentError

_MEMORY_MB = 500
_ROUNDS = 3
_LINEITEM = """
CREATE TABLE lineitem (
    l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, l_linenumber bigint NOT NULL,
    l_quantity numeric(15, 2) NOT NULL, l_extendedprice numeric(15, 2) NOT NULL, l_discount numeric(15, 2) NOT NULL,
    l_tax numeric(15, 2) NOT NULL, l_returnflag text NOT NULL, l_linestatus text NOT NULL, l_shipdate date NOT NULL,
    l_commitdate date NOT NULL, l_receiptdate date NOT NULL, l_shipinstruct text NOT NULL, l_shipmode text NOT NULL,
    l_comment text NOT NULL)
"""
_MIXED = """
CREATE TABLE mixed AS
SELECT i::bigint AS id, (i % 1000)::int AS small, (i % 7)::smallint AS tiny, i * 1.25::float8 AS ratio,
       (i * 0.01)::numeric(12, 2) AS amount, i % 2 = 0 AS flag, 'name ' || i AS name, md5(i::text) AS hash,
       date '2020-01-01' + i % 2000 AS day, timestamptz '2024-01-01' + i * interval '1 second' AS at,
       timestamp '2024-01-01' + i * interval '1 second' AS local_at, gen_random_uuid() AS token,
       jsonb_build_object('i', i, 'tags', ARRAY['a', 'b']) AS document, ARRAY[i % 5, i % 3] AS numbers
FROM generate_series(1, {rows}) i
"""
# The peer, in an environment of its own: dlt's pins are not ours.
_DLT = """
import json, sys, time
import dlt
from dlt.sources.sql_database import sql_table
url, folder = sys.argv[1:]
pipeline = dlt.pipeline("peer", destination=dlt.destinations.filesystem(f"file://{folder}"), dataset_name="peer",
                        pipelines_dir=f"{folder}/pipelines")
started = time.monotonic()
pipeline.run(sql_table(url, table="lineitem", backend="connectorx",
                       backend_kwargs={"return_type": "arrow", "conn": url}),
             loader_file_format="parquet", write_disposition="replace")
print(json.dumps(time.monotonic() - started))
"""


def postgres(scale: float) -> list[Result]:
    """TPC-H lineitem at a scale factor, and a million rows (times the scale) of 14 mixed columns."""
    with laboratory() as lab:
        _load_lineitem(lab, scale)
        with lab.postgres() as connection:
            connection.execute(_MIXED.format(rows=max(1000, int(1_000_000 * scale))).encode())
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        results = []
        for table in ("lineitem", "mixed"):
            lab.connect(table, lab.source, [{"name": table, "syncMode": "full_refresh_overwrite"}])
            # By turns: a machine may be quicker at the beginning than a minute later.
            rounds = [(_copy(lab, table), lab.sync(table)) for _ in range(_ROUNDS)]
            copied = min(seconds for seconds, _ in rounds)
            ours = min((measured for _, measured in rounds), key=lambda measured: measured.seconds)
            of = "a bare binary COPY"
            results += [
                at_least(
                    f"ingest.postgres.{table}", ours.rows / ours.seconds, ours.rows / copied,
                    goal=0.5, of=of, unit="rows/s",
                ),
                at_most(
                    f"ingest.postgres.{table}.memory", ours.peak_bytes / 2**20, _MEMORY_MB,
                    goal=1.0, of="the bound", unit="MB",
                ),
            ]  # fmt: skip
            if table == "lineitem":
                peer = _dlt(lab)
                results.append(
                    at_least(
                        "ingest.postgres.lineitem.dlt", ours.rows / ours.seconds, ours.rows / peer,
                        goal=1.3, of="dlt with connectorx", unit="rows/s",
                    )
                )  # fmt: skip
        return results


def _load_lineitem(lab: Laboratory, scale: float) -> None:
    import duckdb

    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as generator:
        generator.execute(f"LOAD '{_tpch()}'")
        generator.execute(f"CALL dbgen(sf = {scale})")
        generator.execute(f"COPY lineitem TO '{folder}/lineitem.csv' (HEADER false)")
        with (
            lab.postgres() as connection,
            connection.cursor() as cursor,
            (Path(folder) / "lineitem.csv").open("rb") as file,
        ):
            cursor.execute(_LINEITEM)
            with cursor.copy("COPY lineitem FROM STDIN (FORMAT csv)") as copy:
                while block := file.read(2**20):
                    copy.write(block)


def _tpch() -> Path:
    from importlib.util import find_spec

    found = find_spec("duckdb_extension_tpch")
    if found is None or found.origin is None:
        remedy = "install lakehouse[dev]"
        raise PermanentError("no TPC-H generator", where="duckdb-extension-tpch", remedy=remedy)
    return next(Path(found.origin).parent.rglob("*.duckdb_extension"))


def _copy(lab: Laboratory, table: str) -> float:
    """Seconds of the ceiling; after a pause as before a sync, in which the server makes its next worker ready."""
    time.sleep(PAUSE_SECONDS)
    started = time.monotonic()
    with (
        lab.postgres() as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)".encode()) as copy,
    ):
        for _ in copy:
            pass
    return time.monotonic() - started


def _dlt(lab: Laboratory) -> float:
    """Seconds of dlt with connectorx for the same table into Parquet files."""
    uv = shutil.which("uv")
    if uv is None:
        raise PermanentError(
            "no uv on the PATH", where="the peer dlt", remedy="install uv: it makes dlt's environment"
        )
    settings = lab.settings.postgres
    password = settings.password.get_secret_value() if settings.password else ""
    url = f"postgresql://{settings.user}:{quote(password, safe='')}@{settings.host}:{settings.port}"
    needs = ["dlt[parquet,filesystem,sql_database]", "connectorx", "psycopg2-binary", "pandas"]
    command = [uv, "run", "--quiet", "--no-project", "--python", "3.11"]
    for need in needs:
        command += ["--with", need]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, "python", "-c", _DLT, f"{url}/{DATABASE}", folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise PermanentError(f"the peer dlt failed: {reason}", where="bench ingest")
    return float(json.loads(done.stdout.strip().splitlines()[-1]))
