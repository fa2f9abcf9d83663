"""The lake on S3, against a real server: landing whole or not at all, bronze, the engine, files as a source."""

from __future__ import annotations

import gzip
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from lakehouse.embedded.airbyte.connectors.files.listing import URL
from lakehouse.embedded.airbyte.connectors.files.source import FilesSource, read_direct
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream, StreamState
from lakehouse.embedded.airbyte.landing.bucket import BucketTarget
from lakehouse.embedded.airbyte.landing.configuration import S3Configuration
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.ports import free_port
from lakehouse.errors import LakehouseError, TransientError
from lakehouse.lake.filesystem import open_filesystem
from lakehouse.lake.iceberg import open_catalog, storage_properties
from lakehouse.lake.layout import bronze_location
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import MergeSpec
from lakehouse.observability.logs.archive import LogArchive
from lakehouse.observability.metrics.lake import lake
from lakehouse.settings import Settings
from lakehouse.settings_sections import S3Settings
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer, Connection, eventually
from lakehouse_tests.engine import Engine, running_engine
from lakehouse_tests.object_store import (
    ACCESS_KEY,
    BUCKET,
    CHECKSUMS,
    REGION,
    SECRET_KEY,
    ObjectStore,
    running_object_store,
)
from lakehouse_tests.observability.metrics.read import scrape

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def s3() -> Iterator[ObjectStore]:
    with pytest.MonkeyPatch.context() as environment, running_object_store() as store:
        for name, value in CHECKSUMS.items():
            environment.setenv(name, value)
        yield store


@pytest.fixture(scope="module")
def airbyte(s3: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirbyteServer]:
    folder = tmp_path_factory.mktemp("airbyte")
    server = AirbyteServer(folder / "home", folder / "lake")
    yield server
    server.stop()


def destination(s3: ObjectStore, **changes: Any) -> dict[str, Any]:
    """The configuration of destination-s3, as a real Airbyte takes it."""
    return {
        "s3_bucket_name": BUCKET,
        "s3_bucket_path": "landing",
        "s3_bucket_region": REGION,
        "s3_endpoint": s3.endpoint,
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
        **changes,
    }


def target(s3: ObjectStore, **changes: Any) -> BucketTarget:
    given = destination(s3, **changes) | {"format": {"format_type": "Parquet"}}
    return BucketTarget(msgspec.convert(given, S3Configuration))


def connected(
    server: AirbyteServer,
    s3: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    sync_mode: str = "incremental_append",
    **changes: Any,
) -> Connection:
    """A connection of the CSV files in `folder` to the bucket."""
    make = AirbyteServer.create_destination
    monkeypatch.setattr(
        AirbyteServer, "create_destination", lambda self: make(self, **destination(s3, **changes))
    )
    streams = [{"name": "s", "globs": ["*.csv"], "format": {"filetype": "csv"}}]
    return server.connect(
        {"root": str(folder), "streams": streams}, "files", [{"name": "s", "syncMode": sync_mode}]
    )


def landed(s3: ObjectStore, key: str) -> pa.Table:
    return pq.read_table(io.BytesIO(s3.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()))


def test_an_object_appears_whole_when_it_is_published_and_carries_its_generation(s3: ObjectStore) -> None:
    bucket = target(s3)
    body = b"x" * (40 * 2**20)  # two full parts and a rest
    with bucket.open(1, "whole/a.parquet", {"ab-generation-id": "7"}) as file:
        file.write(body)
    assert (s3.keys("whole/"), bucket.list("whole")) == ([], [])
    bucket.publish(1, ["whole/a.parquet"])
    assert s3.keys("whole/") == bucket.list("whole") == ["whole/a.parquet"]
    answer = s3.client.get_object(Bucket=BUCKET, Key="whole/a.parquet")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-meta-ab-generation-id"] == "7"
    assert answer["Body"].read() == body
    assert bucket.generation("whole/a.parquet") == 7
    bucket.delete(["whole/a.parquet", "whole/not-there"])
    assert s3.keys("whole/") == []


_HALF_WRITTEN = """
import sys, msgspec
from lakehouse.embedded.airbyte.landing.bucket import BucketTarget
from lakehouse.embedded.airbyte.landing.configuration import S3Configuration
target = BucketTarget(msgspec.json.decode(sys.argv[1], type=S3Configuration))
for key in ("killed/a.parquet", "killed/a.parquet.other"):
    target.open(1, key).write(b"x" * (20 * 2**20))
print("written", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_uploaded_is_never_visible_and_is_dropped_by_its_key(s3: ObjectStore) -> None:
    given = msgspec.json.encode(destination(s3) | {"format": {"format_type": "Parquet"}}).decode()
    process = subprocess.Popen(
        [sys.executable, "-c", _HALF_WRITTEN, given],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert s3.keys("killed/") == []
    assert sorted(s3.unfinished("killed/")) == ["killed/a.parquet", "killed/a.parquet.other"]
    target(s3).discard(1, ["killed/a.parquet"])
    assert s3.unfinished("killed/") == ["killed/a.parquet.other"]
    target(s3).discard(1, ["killed/a.parquet.other"])


def test_a_server_killed_in_the_middle_of_a_sync_leaves_nothing(
    airbyte: AirbyteServer, s3: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = 3_000_000
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * rows)
    connection = connected(airbyte, s3, monkeypatch, tmp_path)
    prefix = f"landing/{connection.namespace}/"
    connection.start()
    eventually(lambda: s3.unfinished(prefix) != [])
    airbyte.kill()
    assert s3.keys(prefix) == []
    airbyte.start()
    eventually(lambda: s3.unfinished(prefix) == [])
    connection.sync()
    assert sum(landed(s3, key).num_rows for key in s3.keys(prefix)) == rows
    connection.sync()
    assert len(s3.keys(prefix)) == 1


def test_an_overwrite_removes_the_objects_of_older_generations(
    airbyte: AirbyteServer, s3: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n")
    connection = connected(airbyte, s3, monkeypatch, tmp_path, "full_refresh_overwrite")
    prefix = f"landing/{connection.namespace}/"
    connection.sync()
    (first,) = s3.keys(prefix)
    file.write_text("x\n2\n")
    connection.sync()
    (second,) = s3.keys(prefix)
    assert first != second
    assert landed(s3, second)["x"].to_pylist() == [2]
    head = s3.client.head_object(Bucket=BUCKET, Key=second)
    assert head["Metadata"] == {"ab-generation-id": str(target(s3).generation(second))}


@pytest.mark.parametrize(
    "wrong",
    [
        ({"secret_access_key": "wrong"}, "refuses the credentials (SignatureDoesNotMatch); correct access_key_id"),
        ({"access_key_id": "nobody"}, "refuses the credentials (InvalidAccessKeyId); correct access_key_id"),
        ({"s3_bucket_name": "nowhere"}, "bucket nowhere at http://127.0.0.1:"),
    ],
)  # fmt: skip
def test_a_wrong_destination_fails_the_job_with_one_line(
    airbyte: AirbyteServer,
    s3: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wrong: tuple[dict[str, str], str],
) -> None:
    changes, problem = wrong
    (tmp_path / "a.csv").write_text("x\n1\n")
    said = connected(airbyte, s3, monkeypatch, tmp_path, **changes).fail()
    assert problem in said
    assert "\n" not in said


def test_what_can_be_retried_says_so(s3: ObjectStore) -> None:
    with pytest.raises(ConnectorError, match="there is no such bucket; create it") as absent:
        target(s3, s3_bucket_name="nowhere").open(1, "k")
    assert (absent.value.kind, absent.value.origin) == ("config_error", "destination")
    down = target(s3, s3_endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ConnectorError, match=f"bucket {BUCKET} at http://.* does not answer") as caught:
        down.open(1, "k")
    assert (caught.value.kind, caught.value.origin) == ("transient_error", "destination")


def platform(s3: ObjectStore, home: Path, **s3_settings: Any) -> Settings:
    keys = {"access_key_id": ACCESS_KEY, "secret_access_key": SecretStr(SECRET_KEY)}
    options = {"endpoint": s3.endpoint, "region": REGION, **keys, **s3_settings}
    return Settings(home=home, lake_url=f"s3://{BUCKET}", s3=S3Settings(**options))


def orders(settings: Settings, namespace: str) -> MergeSpec:
    return MergeSpec(
        identifier=("bronze", f"{namespace}__s"),
        location=bronze_location(settings, namespace, "s"),
        source=namespace,
        stream="s",
        primary_key=("x",),
        mode="append",
    )


def test_from_a_file_to_an_answer_of_the_engine_over_s3(
    airbyte: AirbyteServer, s3: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("x,name\n1,one\n2,two\n")
    connection = connected(airbyte, s3, monkeypatch, tmp_path)
    connection.sync()
    settings = platform(s3, tmp_path / "platform")
    spec = orders(settings, connection.namespace)
    assert merge_table(spec, settings).inserted == 2
    (tmp_path / "b.csv").write_text("x,name\n2,zwei\n3,drei\n")
    connection.sync()
    assert merge_table(spec, settings).landed_rows == 2
    table = open_catalog(settings).load_table(spec.identifier)
    assert table.location() == f"s3://{BUCKET}/bronze/{connection.namespace}/s"
    assert sorted(zip(*(table.scan().to_arrow()[name].to_pylist() for name in ("x", "name")), strict=True)) == [
        (1, "one"), (2, "zwei"), (3, "drei")
    ]  # fmt: skip
    config = {
        "uri": settings.iceberg_uri,
        "warehouse": settings.lake,
        "propertyList": [{"name": n, "value": v} for n, v in storage_properties(settings).items()],
    }
    directory = tmp_path / "engine"
    directory.mkdir()
    with running_engine(directory) as engine:
        assert _asked(engine, config, spec.identifier[1]) == [(3, 6)]


def _asked(engine: Engine, config: dict[str, Any], table: str) -> list[tuple[Any, ...]]:
    body = {"entityType": "source", "name": "remote", "type": "SQLCATALOG", "config": config}
    engine.post("/api/v3/catalog", body)
    return engine.rows(f'SELECT count(*) AS n, sum(x) AS s FROM remote.bronze."{table}"')


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"secret_access_key": SecretStr("wrong")}, LakehouseError),
        ({"endpoint": "http://127.0.0.1:9"}, TransientError),
    ],
)
def test_a_merge_from_a_lake_that_cannot_be_read_says_so_in_one_line(
    s3: ObjectStore, tmp_path: Path, changes: dict[str, Any], error: type[LakehouseError]
) -> None:
    s3.put("landing/unreachable/s/date=2026-01-01/1_0.parquet", b"not read")
    settings = platform(s3, tmp_path, **changes)
    with pytest.raises(error) as caught:
        merge_table(orders(settings, "unreachable"), settings)
    assert "\n" not in str(caught.value)


def test_files_are_read_from_a_bucket_with_the_configuration_of_source_s3(s3: ObjectStore) -> None:
    s3.put("drop/2024/a.csv", b"x,name\n1,one\n")
    s3.put("drop/b.csv", b"x,name\n2,\n")
    s3.put("drop/c.jsonl", b'{"x": 3}\n')
    streams = [
        {"name": "csv", "globs": ["drop/**/*.csv"], "format": {"filetype": "csv"}},
        {"name": "jsonl", "globs": ["drop/*.jsonl"], "format": {"filetype": "jsonl"}},
    ]
    access = {
        "bucket": BUCKET,
        "endpoint": s3.endpoint,
        "aws_access_key_id": ACCESS_KEY,
        "aws_secret_access_key": SECRET_KEY,
    }
    rows = {}
    for stream in FilesSource().discover({**access, "streams": streams}):
        configured = ConfiguredStream.from_json({"stream": stream, "sync_mode": "incremental"})
        read = list(read_direct({**access, "streams": streams}, configured, None))
        rows[stream["name"]] = [
            row for item in read if isinstance(item, LandingBatch) for row in item.rows.to_pylist()
        ]
        assert isinstance(read[-1], StreamState)
    assert sorted((row["x"], row["name"], row[URL]) for row in rows["csv"]) == [
        ("1", "one", "drop/2024/a.csv"), ("2", "", "drop/b.csv"),
    ]  # fmt: skip
    assert [(row["x"], row[URL]) for row in rows["jsonl"]] == [(3, "drop/c.jsonl")]
    for wrong, said in (
        ({"aws_secret_access_key": "wrong"}, f"bucket {BUCKET} at .* refuses the credentials"),
        ({"bucket": "nowhere"}, "bucket nowhere at "),
        ({"endpoint": "http://127.0.0.1:9"}, "does not answer"),
    ):
        with pytest.raises(ConnectorError, match=said) as caught:
            FilesSource().check({**access, **wrong, "streams": streams})
        assert "\n" not in str(caught.value)


def test_metrics_tell_what_the_bucket_holds(s3: ObjectStore, tmp_path: Path) -> None:
    s3.put("measured/gold/fct_orders/1.parquet", b"1234567")
    s3.put("measured/gold/fct_orders/2.parquet", b"1")
    s3.put("measured/landing/shop/orders/1_0.parquet", b"123")
    settings = platform(s3, tmp_path).model_copy(update={"lake_url": f"s3://{BUCKET}/measured"})
    found = scrape([lake(settings)])
    for name in ("lake", "minio"):
        assert found[f"{name}_disk_usage_bytes", "gold"] == 8
        assert found[f"{name}_objects_total", "gold"] == 2
        assert found[f"{name}_objects_total", "landing"] == 1
        assert found[f"{name}_objects_total", "bronze"] == 0
    wrong = platform(s3, tmp_path, secret_access_key=SecretStr("wrong"))
    assert scrape([lake(wrong)])["lakehouse_metrics_source_up", "lake"] == 0


def test_logs_are_kept_in_the_bucket_and_go_by_age(s3: ObjectStore, tmp_path: Path) -> None:
    settings = platform(s3, tmp_path).model_copy(update={"lake_url": f"s3://{BUCKET}/logged"})
    archive = LogArchive(settings)
    members = [gzip.compress(b'{"message": "one"}\n'), gzip.compress(b'{"message": "two"}\n')]
    for day in ("2026-11-27", "2026-11-28"):
        for _ in range(2):  # what is written again is there once
            archive.write("dbt", day, "part", members)
    ((path, size),) = archive.before(date(2026, 11, 28))
    assert path == f"{BUCKET}/logged/logs/dbt/date=2026-11-27/part.json.gz"
    assert size == sum(map(len, members))
    archive.remove([path])
    assert archive.before(date(2026, 11, 28)) == []
    ((path, _),) = archive.before(date(2026, 11, 29))
    with open_filesystem(settings).open_input_stream(path, compression=None) as file:
        assert gzip.decompress(file.read()).splitlines() == [b'{"message": "one"}', b'{"message": "two"}']
    wrong = platform(s3, tmp_path, secret_access_key=SecretStr("wrong"))
    with pytest.raises(TransientError, match="cannot write logs"):
        LogArchive(wrong).write("dbt", "2026-11-28", "part", members)
