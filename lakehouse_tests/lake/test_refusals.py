"""What the merge refuses: one line that names table, column and object, and nothing committed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.errors import PermanentError, TransientError
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import PeriodPartition

EPOCH = 1_764_000_000_000
FIELDS = {"order_id": pa.int64(), "order_date": pa.date32(), "status": pa.string()}
ROW = {"order_id": 1, "order_date": date(2025, 6, 1), "status": "paid"}


def refusal(lake: Any, **spec: Any) -> str:
    with pytest.raises(PermanentError) as refused:
        merge_table(lake.spec(**spec), lake.settings)
    line = str(refused.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("declared", "key"),
    [
        ({"primary_key": ("order_id", "line")}, "line, the primary_key"),
        ({"cursor_field": "updated_at"}, "updated_at, the cursor_field"),
        ({"partition": PeriodPartition("placed_on")}, "placed_on, the partition_by.column"),
    ],
)
def test_a_declared_column_that_is_not_landed(lake: Any, declared: dict[str, Any], key: str) -> None:
    path = lake.land([ROW], FIELDS)
    line = refusal(lake, **declared)
    assert f"column {key} of bronze.shop__orders, is not landed" in line
    assert str(path) in line
    assert not open_catalog(lake.settings).table_exists(("bronze", "shop__orders"))


@pytest.mark.parametrize(
    ("partition", "problem"),
    [
        (PeriodPartition("status"), "partition column status of bronze.shop__orders is landed as string"),
        (PeriodPartition("day", "strftime(order_date, '%Y')"), "gives VARCHAR"),
        (PeriodPartition("day", "make_date(nothing)"), "does not evaluate"),
        (PeriodPartition("status", "order_date"), "is landed and also derived"),
    ],
)
def test_a_partition_without_days(lake: Any, partition: PeriodPartition, problem: str) -> None:
    lake.land([ROW], FIELDS)
    assert problem in refusal(lake, partition=partition)


def test_a_partition_expression_that_fails_on_a_value(lake: Any) -> None:
    lake.land([{**ROW, "status": "never"}], FIELDS)
    line = refusal(lake, partition=PeriodPartition("day", "CAST(status AS DATE)"))
    assert "bronze.shop__orders" in line
    assert "never" in line


def test_another_partitioning_than_the_table_has(lake: Any) -> None:
    lake.land([ROW], FIELDS)
    merge_table(lake.spec(), lake.settings)
    line = refusal(lake, partition=PeriodPartition("order_date"))
    assert "partitioned by nothing, declared is day of order_date" in line


def test_an_object_that_is_no_parquet(lake: Any) -> None:
    path = lake.land([ROW], FIELDS)
    path.write_text("not parquet")
    line = refusal(lake)
    assert "not a Parquet file" in line
    assert str(path) in line


def test_an_object_without_the_columns_of_airbyte(lake: Any) -> None:
    path = lake.land([ROW], FIELDS)
    pq.write_table(pa.table({"order_id": [1]}), path)
    assert "column _airbyte_raw_id is missing" in refusal(lake)


def test_an_object_of_two_generations(lake: Any) -> None:
    one = pq.read_table(lake.land([ROW], FIELDS, generation=1))
    path = lake.land([ROW], FIELDS, generation=2)
    pq.write_table(pa.concat_tables([one, pq.read_table(path)]), path)
    assert "generations ['1', '2'] in one object" in refusal(lake, mode="overwrite")


def test_columns_that_differ_in_case_alone(lake: Any) -> None:
    lake.land([{**ROW, "Status": "x"}], FIELDS | {"Status": pa.string()})
    assert "columns status and Status of bronze.shop__orders differ in case alone" in refusal(lake)


def test_a_type_that_iceberg_does_not_hold(lake: Any) -> None:
    path = lake.land([ROW], FIELDS)
    table = pq.read_table(path)
    pq.write_table(table.append_column("lasted", pa.array([1], pa.duration("s"))), path)
    assert "column lasted has type duration[s]" in refusal(lake)


def test_a_lake_that_cannot_be_read_is_worth_another_try(lake: Any) -> None:
    landing = lake.home / "lake/landing/shop"
    landing.mkdir(parents=True)
    (landing / "orders").write_text("in the way")
    with pytest.raises(TransientError, match=r"bronze\.shop__orders: the lake or its catalogue") as failed:
        merge_table(lake.spec(), lake.settings)
    assert "\n" not in str(failed.value)


def test_a_refused_merge_leaves_no_files(lake: Any) -> None:
    lake.land([{**ROW, "status": "never"}], FIELDS)
    refusal(lake, partition=PeriodPartition("day", "CAST(status AS DATE)"))
    assert not list((lake.home / "lake").glob("bronze/**/*.parquet"))


def test_a_primary_key_that_is_dropped(lake: Any) -> None:
    lake.land([ROW], FIELDS)
    merge_table(lake.spec(), lake.settings)
    lake.land([ROW], FIELDS, epoch=EPOCH + 1)
    path = lake.land([{"status": "paid"}], {"status": pa.string()}, epoch=EPOCH + 1, part=1)
    line = refusal(lake)
    assert "column order_id, the primary_key of bronze.shop__orders, is not landed" in line
    assert str(path) in line


def test_row_level_deletes_of_another_engine() -> None:
    """Position deletes cannot be written with pyiceberg; the rule is tested on what a scan plans."""
    from types import SimpleNamespace

    from lakehouse.lake.table_files import current_files

    task = SimpleNamespace(delete_files={object()}, file=SimpleNamespace(file_path="file:///lake/a.parquet"))
    table = SimpleNamespace(
        scan=lambda row_filter: SimpleNamespace(plan_files=lambda: [task]),
        name=lambda: ("bronze", "shop__orders"),
    )
    with pytest.raises(PermanentError, match="row-level deletes"):
        current_files(table)  # type: ignore[arg-type]
