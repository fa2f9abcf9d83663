"""Landing files: destination-s3's paths, columns and visibility."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.embedded.airbyte.coercion import Change
from lakehouse.embedded.airbyte.landing import writer as writing
from lakehouse.embedded.airbyte.landing.configuration import S3Configuration
from lakehouse.embedded.airbyte.landing.encoding import repeating_leaves
from lakehouse.embedded.airbyte.landing.paths import check_path_format, safe_name, stream_path
from lakehouse.embedded.airbyte.landing.target import DirectoryTarget, landing_target
from lakehouse.embedded.airbyte.landing.writer import StreamWriter, raw_ids
from lakehouse.embedded.airbyte.records import LandingBatch
from lakehouse.embedded.airbyte.types import columns_of

STARTED = 1795386090728  # 2026-11-22T22:21:30.728Z
OURS = "${NAMESPACE}/${STREAM_NAME}/date=${YEAR}-${MONTH}-${DAY}/${EPOCH}_"
COLUMNS = columns_of({"properties": {"id": {"type": "integer"}, "name": {"type": "string"}}})


def configuration(**changes: Any) -> S3Configuration:
    given = {
        "s3_bucket_name": "b",
        "s3_bucket_path": "landing",
        "format": {"format_type": "Parquet"},
        **changes,
    }
    return msgspec.convert(given, S3Configuration)


def batch(*ids: int, changes: dict[int, list[Change]] | None = None) -> LandingBatch:
    rows = pa.RecordBatch.from_arrays(
        [pa.array(ids, pa.int64()), pa.array([f"n{i}" for i in ids])], ["id", "name"]
    )
    return LandingBatch(rows, pa.array([STARTED + i for i in ids], pa.int64()), changes or {})


def a_writer(target: DirectoryTarget, **changes: Any) -> StreamWriter:
    path = stream_path(configuration(s3_path_format=OURS), "shop", "orders", 7, STARTED)
    return StreamWriter(target, path, COLUMNS, **{"job_id": 7, "generation_id": 3, **changes})


def test_default_path_is_that_of_the_documentation() -> None:
    path = stream_path(configuration(s3_bucket_path="bronze"), "public", "orders", 7, STARTED)
    assert path.key(0) == "bronze/public/orders/2026_11_22_1795386090728_0.parquet"


def test_our_path_is_partitioned_by_the_day_of_the_sync_in_utc() -> None:
    path = stream_path(configuration(s3_path_format=OURS), "shop", "orders", 7, STARTED)
    assert path.key(2) == "landing/shop/orders/date=2026-11-22/1795386090728_2.parquet"


def test_an_empty_namespace_leaves_no_empty_folder() -> None:
    path = stream_path(configuration(s3_path_format=OURS), "", "orders", 7, STARTED)
    assert path.key(0).startswith("landing/orders/date=")


@pytest.mark.parametrize("path_format", [OURS, "${STREAM_NAME}_${EPOCH}_", "${STREAM_NAME}/${UUID}/"])
def test_the_files_of_every_sync_of_a_stream_are_told_from_those_of_another(path_format: str) -> None:
    ours = stream_path(configuration(s3_path_format=path_format), "shop", "orders", 7, STARTED)
    later = stream_path(configuration(s3_path_format=path_format), "shop", "orders", 9, STARTED + 10**8)
    other = stream_path(configuration(s3_path_format=path_format), "shop", "orders_items", 7, STARTED)
    assert ours.every_sync.fullmatch(later.key(11))
    assert not ours.every_sync.fullmatch(other.key(0))
    assert ours.key(0).startswith(ours.constant_prefix)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"s3_path_format": "${STREAM_NAME}/${WEEK}/"}, "unknown variable ${WEEK}"),
        ({"s3_path_format": "${NAMESPACE}/"}, "${STREAM_NAME} is needed"),
        ({"file_name_pattern": "{timestamp}{format_extension}"}, "{timestamp} is not supported"),
        ({"file_name_pattern": "data{format_extension}"}, "{part_number} is needed"),
    ],
)
def test_paths_that_cannot_work_are_refused(changes: dict[str, str], problem: str) -> None:
    assert problem in (check_path_format(configuration(**changes)) or "")


def test_names_are_made_safe() -> None:
    assert safe_name(" Änd erung:x/y ") == "And_erung_x/y"


def test_columns_types_and_metadata_are_those_of_destination_s3(tmp_path: Path) -> None:
    target = DirectoryTarget(tmp_path)
    writer = a_writer(target)
    nulled = Change("name", reason="SOURCE_SERIALIZATION_ERROR")
    writer.write(batch(1, 2, changes={1: [nulled]}))
    (file,) = writer.finish()
    target.publish(7, [file.key])
    with pq.ParquetFile(tmp_path / file.key) as parquet:
        extracted_at = str(parquet.schema.column(1).logical_type)
        assert "isAdjustedToUTC=true, timeUnit=milliseconds" in extracted_at
        schema = parquet.schema_arrow
        assert schema.names == [
            "_airbyte_raw_id",
            "_airbyte_extracted_at",
            "_airbyte_meta",
            "_airbyte_generation_id",
            "id",
            "name",
        ]
        assert [schema.field(name).nullable for name in schema.names] == [False] * 4 + [True] * 2
        assert (
            schema.field("_airbyte_meta").type == writing.landing_schema(COLUMNS).field("_airbyte_meta").type
        )
        metadata = parquet.metadata
        assert (metadata.num_rows, file.rows, file.bytes) == (2, 2, (tmp_path / file.key).stat().st_size)
        group = metadata.row_group(0)
        columns = [group.column(index) for index in range(group.num_columns)]
        column = next(column for column in columns if column.path_in_schema == "id")
        uncompressed = [one.path_in_schema for one in columns if one.compression != "SNAPPY"]
        assert uncompressed == ["_airbyte_raw_id"]
        assert (column.statistics.min, column.statistics.max) == (1, 2)
        rows = parquet.read().to_pylist()
    assert rows[0]["_airbyte_meta"] == {"sync_id": 7, "changes": []}
    assert rows[1]["_airbyte_meta"]["changes"] == [
        {"field": "name", "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR"}
    ]
    assert rows[0]["_airbyte_extracted_at"] == dt.datetime.fromtimestamp((STARTED + 1) / 1000, dt.UTC)
    assert {row["_airbyte_generation_id"] for row in rows} == {3}
    assert target.generation(file.key) == 3


def test_raw_ids_are_version_4_uuids_and_all_differ() -> None:
    ids = raw_ids(20_000).to_pylist()
    assert len(set(ids)) == 20_000
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in ids} == {(4, uuid.RFC_4122)}
    assert raw_ids(0).to_pylist() == []


def test_nothing_is_visible_before_it_is_published(tmp_path: Path) -> None:
    target = DirectoryTarget(tmp_path)
    writer = a_writer(target)
    writer.write(batch(1))
    (file,) = writer.finish()
    assert list(tmp_path.glob("landing/**/*.parquet")) == []
    target.publish(7, [file.key])
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.glob("landing/**/*.parquet")] == [file.key]


def test_discarding_removes_what_was_written_and_what_was_shown(tmp_path: Path) -> None:
    target = DirectoryTarget(tmp_path)
    writer = a_writer(target)
    writer.write(batch(1))
    shown = writer.finish()[0].key
    target.publish(7, [shown])
    writer.write(batch(2))
    writer.finish()
    target.discard(7, [shown])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_files_are_rolled_at_their_size_and_row_groups_at_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "FILE_BYTES", 1)
    monkeypatch.setattr(writing, "ROW_GROUP_ROWS", 10)
    target = DirectoryTarget(tmp_path)
    writer = a_writer(target)
    for first in range(0, 30, 5):
        writer.write(batch(*range(first, first + 5)))
    files = writer.finish()
    assert [re.sub(r".*_(\d+)\.parquet", r"\1", file.key) for file in files] == ["0", "1", "2"]
    assert [file.rows for file in files] == [10, 10, 10]


def test_long_rows_close_a_row_group_early(tmp_path: Path) -> None:
    writer = a_writer(DirectoryTarget(tmp_path))
    most = 0
    for _ in range(12):
        rows = pa.RecordBatch.from_arrays(
            [pa.array(range(10), pa.int64()), pa.array(["x" * 2**20] * 10)], ["id", "name"]
        )
        writer.write(LandingBatch(rows, pa.repeat(pa.scalar(STARTED, pa.int64()), 10), {}))
        most = max(most, writer.buffered_bytes)
    (file,) = writer.finish()
    assert file.rows == 120
    assert most <= writing.LONG_ROWS_BYTES


def test_a_stream_without_rows_makes_no_file(tmp_path: Path) -> None:
    assert a_writer(DirectoryTarget(tmp_path)).finish() == []


def test_a_file_url_is_a_directory(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    target = landing_target(configuration(s3_endpoint=folder.as_uri()))
    with target.open(1, "a/b.parquet") as file:
        file.write(b"x")
    target.publish(1, ["a/b.parquet"])
    assert (folder / "a" / "b.parquet").read_bytes() == b"x"
    with pytest.raises(ValueError, match="file:///absolute/path"):
        landing_target(configuration(s3_endpoint="file://other-host/x"))


def test_only_values_that_repeat_get_a_dictionary(tmp_path: Path) -> None:
    target = DirectoryTarget(tmp_path)
    writer = a_writer(target)
    ids = pa.array(range(1000), pa.int64())
    rows = pa.RecordBatch.from_arrays([ids, pa.array(["one", "two"] * 500)], ["id", "name"])
    writer.write(LandingBatch(rows, pa.repeat(pa.scalar(STARTED, pa.int64()), 1000), {}))
    (file,) = writer.finish()
    target.publish(7, [file.key])
    with pq.ParquetFile(tmp_path / file.key) as parquet:
        group = parquet.metadata.row_group(0)
        columns = [group.column(place) for place in range(group.num_columns)]
        packed = {column.path_in_schema for column in columns if column.has_dictionary_page}
    assert {"name", "_airbyte_meta.sync_id", "_airbyte_generation_id"} <= packed
    assert not {"id", "_airbyte_raw_id"} & packed


@pytest.mark.parametrize(("length", "distinct"), [(10, False), (2**20, False), (2**20, True)])
def test_long_values_are_judged_by_few_of_them(length: int, distinct: bool) -> None:
    texts = [(str(row if distinct else 0) + "x" * length) for row in range(40)]
    table = pa.table({"text": texts, "lists": [[1, 1]] * 40})
    assert repeating_leaves(table) == (["lists.list.element"] if distinct else ["text", "lists.list.element"])
