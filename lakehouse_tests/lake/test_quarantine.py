"""Rows that may not enter bronze: which they are, where they are kept, and that the others go on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.errors import PermanentError
from lakehouse.lake.contract import ColumnContract, Contract, declared_type
from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import MergeResult
from lakehouse.lake.quarantine import list_quarantine
from lakehouse.lake.watermark import find_watermark

EPOCH = 1_764_000_000_000
KEY = {"order_id": pa.int64()}
X = KEY | {"x": pa.string()}


def merge(lake: Any, **spec: Any) -> MergeResult:
    return merge_table(lake.spec(**spec), lake.settings)


def crash(lake: Any, monkeypatch: pytest.MonkeyPatch, **spec: Any) -> None:
    """A merge that dies right before its commit."""

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lakehouse.lake.merge.commit", die)
        with pytest.raises(KeyboardInterrupt):
            merge(lake, **spec)


def typed(**columns: str) -> Contract:
    return Contract({name: ColumnContract(declared_type(kind)) for name, kind in columns.items()})


def quarantined(lake: Any) -> list[tuple[Any, str, str]]:
    """Key, column and reason of the rows in the files that count."""
    table = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    rows = []
    for file in list_quarantine(lake.settings, lake.spec(), find_watermark(table)):
        found = pq.read_table(file.place.url.removeprefix("file://")).to_pylist()
        assert file.rows == len(found) == sum(file.reasons.values())
        rows += [(row["order_id"], row["_quarantine_column"], row["_quarantine_reason"]) for row in found]
    return rows


def test_a_row_without_primary_key_is_kept_as_it_was_landed_and_the_others_go_on(lake: Any) -> None:
    path = lake.land([{"order_id": 1, "x": "a"}, {"x": "b"}, {"order_id": 3, "x": "c"}], X)
    result = merge(lake)
    assert (result.quarantined, result.inserted, set(lake.rows(["order_id"]))) == (1, 2, {1, 3})
    kept = lake.home / f"lake/landing_quarantine/shop/orders/{path.parent.name}/{path.name}"
    landed, (row,) = pq.read_table(path), pq.read_table(kept).to_pylist()
    assert {name: row[name] for name in landed.column_names} == landed.to_pylist()[1]
    added = {name: value for name, value in row.items() if name not in landed.column_names}
    assert added.pop("_quarantine_at") <= datetime.now(UTC)
    assert len(added.pop("_quarantine_merge")) == 32
    assert added == {
        "_quarantine_reason": "NULL in the primary key",
        "_quarantine_column": "order_id",
        "_quarantine_object": f"file://{path}",
        "_quarantine_row": 1,
    }
    assert [entry.name for entry in kept.parent.iterdir()] == [path.name]


def test_a_retyped_column_quarantines_the_rows_that_have_a_value(lake: Any) -> None:
    lake.land([{"order_id": 1, "x": 7}], KEY | {"x": pa.int64()})
    merge(lake)
    lake.land([{"order_id": 2, "x": "8"}, {"order_id": 3}], X, epoch=EPOCH + 1)
    lake.land([{"order_id": 4, "x": 9}], KEY | {"x": pa.int64()}, epoch=EPOCH + 2)
    result = merge(lake)
    assert {key: row["x"] for key, row in lake.rows(["order_id", "x"]).items()} == {1: 7, 3: None, 4: 9}
    assert quarantined(lake) == [(2, "x", "string that is no long")]
    assert [(drift.kind, drift.column) for drift in result.drift] == [("retyped", "x")]


def test_a_key_of_a_type_that_iceberg_cannot_promote_in_place(lake: Any) -> None:
    lake.land([{"order_id": 1}], KEY)
    merge(lake)
    lake.land([{"order_id": 2.0}], {"order_id": pa.float64()}, epoch=EPOCH + 1)
    merge(lake)
    assert set(lake.rows(["order_id"])) == {1}
    assert quarantined(lake) == [(2, "order_id", "double that is no long")]


def test_a_key_that_is_not_exact_any_more(lake: Any) -> None:
    keys = [1.5, 2.0**53 - 1, 2.0**53, -12345678901234567890.0]
    lake.land([{"order_id": key} for key in keys], {"order_id": pa.float64()})
    merge(lake)
    assert set(lake.rows(["order_id"])) == set(keys[:2])
    assert {(key, reason.partition(" in ")[0]) for key, _, reason in quarantined(lake)} == {
        (key, "a key of 2^53 or more") for key in keys[2:]
    }


def test_the_first_delivery_says_the_type_when_there_is_no_table(lake: Any) -> None:
    lake.land([{"order_id": 1, "x": 7}], KEY | {"x": pa.int64()})
    lake.land([{"order_id": 2, "x": "8"}], X, epoch=EPOCH + 1)
    merge(lake)
    assert quarantined(lake) == [(2, "x", "string that is no long")]


@pytest.mark.parametrize(
    ("kind", "landed", "good", "bad"),
    [
        ("date", pa.string(), ["2025-06-01"], ["2025-06-01 10:00:00", "soon", "2025-13-01"]),
        ("bigint", pa.string(), ["7", " -7 "], ["1.5", "1e3", "", "9223372036854775808"]),
        ("bigint", pa.float64(), [7.0], [1.5, 1e300]),
        ("int", pa.int64(), [2**31 - 1], [2**31]),
        ("double", pa.string(), ["1e3", "-0.1"], ["one"]),
        ("decimal(10, 2)", pa.string(), ["1.25", "-3", "1.500"], ["1.255", "123456789.00", "x"]),
        ("boolean", pa.string(), ["true", "false"], ["maybe"]),
        ("timestamp", pa.string(), ["2025-06-01T10:00:00+02:00"], ["never"]),
        ("date", pa.timestamp("us", "UTC"), [datetime(2025, 6, 1, tzinfo=UTC)], [datetime(2025, 6, 1, 1, tzinfo=UTC)]),
        ("varchar", pa.int64(), [7], []),
        ("bigint", pa.list_(pa.int64()), [], [[1]]),
    ],
)  # fmt: skip
def test_values_are_cast_to_the_type_of_the_contract_where_nothing_gets_lost(
    lake: Any, kind: str, landed: pa.DataType, good: list[Any], bad: list[Any]
) -> None:
    rows = [{"order_id": key, "x": value} for key, value in enumerate([None, *good, *bad])]
    lake.land(rows, KEY | {"x": landed})
    merge(lake, contract=typed(x=kind))
    assert set(lake.rows(["order_id"])) == set(range(1 + len(good)))
    assert [key for key, *_ in quarantined(lake)] == list(range(1 + len(good), len(rows)))
    schema = open_catalog(lake.settings).load_table(("bronze", "shop__orders")).schema()
    assert schema.find_type("x") == declared_type(kind)


def test_the_cast_value_is_what_bronze_holds(lake: Any) -> None:
    lake.land([{"order_id": 1, "x": "2025-06-01"}], X)
    merge(lake, contract=typed(x="date"))
    assert lake.rows(["order_id", "x"])[1]["x"] == date(2025, 6, 1)


def test_null_in_a_column_that_is_not_nullable(lake: Any) -> None:
    contract = Contract({"x": ColumnContract(nullable=False)})
    fields = X | {"_ab_cdc_lsn": pa.float64(), "_ab_cdc_deleted_at": pa.string()}
    rows = [
        {"order_id": 1, "x": "a", "_ab_cdc_lsn": 1.0},
        {"order_id": 2, "_ab_cdc_lsn": 2.0},
        {"order_id": 1, "_ab_cdc_lsn": 3.0, "_ab_cdc_deleted_at": "2025-06-02"},  # has the key alone
    ]
    lake.land(rows, fields)
    merge(lake, contract=contract)
    assert lake.rows(["order_id"]) == {}
    assert quarantined(lake) == [(2, "x", "NULL in a column that is not nullable")]
    lake.land([{"order_id": 3}], KEY, epoch=EPOCH + 1)
    assert [drift.kind for drift in merge(lake, contract=contract).drift] == ["dropped"]
    assert [key for key, *_ in quarantined(lake)] == [2, 3]


@pytest.mark.parametrize("policy", ["ignore", "warn", "fail"])
def test_what_drift_does_is_declared(lake: Any, policy: Any) -> None:
    lake.land([{"order_id": 1, "x": "a"}], X)
    merge(lake)
    lake.land([{"order_id": 2}], X | {"y": pa.int64()}, epoch=EPOCH + 1)
    lake.land([{"order_id": 2}], KEY, epoch=EPOCH + 2)
    contract = Contract(drift={"new": policy, "dropped": policy})
    if policy == "fail":
        with pytest.raises(PermanentError, match="which its contract does not allow") as refused:
            merge(lake, contract=contract)
        assert "\n" not in str(refused.value)
        return
    found = {(drift.kind, drift.column) for drift in merge(lake, contract=contract).drift}
    assert found == (set() if policy == "ignore" else {("new", "y"), ("dropped", "x")})
    assert lake.rows(["order_id", "x", "y"])[2] == {"order_id": 2, "x": None, "y": None}


def test_a_contract_of_another_type_than_the_table_is_refused(lake: Any) -> None:
    lake.land([{"order_id": 1, "x": "a"}], X)
    merge(lake)
    lake.land([{"order_id": 2, "x": "b"}], X, epoch=EPOCH + 1)
    with pytest.raises(PermanentError, match="is string in the table and date in its contract"):
        merge(lake, contract=typed(x="date"))


def test_a_merge_repeated_after_a_crash_quarantines_once(lake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.land([{"order_id": 1, "x": "a"}], X)
    merge(lake)
    lake.land([{"x": "b"}, {"order_id": 2, "x": "c"}], X, epoch=EPOCH + 1)
    crash(lake, monkeypatch)
    assert list(lake.home.glob("lake/landing_quarantine/**/*.parquet"))
    assert quarantined(lake) == []  # the merge did not happen
    assert merge(lake).quarantined == 1
    assert len(quarantined(lake)) == 1


def test_a_contract_corrected_after_a_crash_leaves_nothing_in_quarantine(
    lake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.land([{"order_id": 1}], X)
    crash(lake, monkeypatch, contract=Contract({"x": ColumnContract(nullable=False)}))
    assert merge(lake).inserted == 1
    assert quarantined(lake) == []


def test_an_object_that_is_read_again_is_not_quarantined_again(lake: Any) -> None:
    lake.land([{"x": "b"}, {"order_id": 2, "x": "c"}], X, part=1)
    merge(lake)
    lake.land([{"order_id": 1, "x": "a"}], X, part=0)
    assert merge(lake).quarantined == 0
    assert len(quarantined(lake)) == 1


def test_overwrite_keeps_the_row_of_a_key_whose_new_version_is_in_quarantine(lake: Any) -> None:
    contract = Contract({"x": ColumnContract(nullable=False)})
    lake.land([{"order_id": 1, "x": "a"}, {"order_id": 2, "x": "b"}], X, generation=1)
    merge(lake, mode="overwrite", contract=contract)
    lake.land([{"order_id": 1}], X, epoch=EPOCH + 1, generation=2)
    merge(lake, mode="overwrite", contract=contract)
    assert lake.rows(["order_id", "x"]) == {1: {"order_id": 1, "x": "a"}}
    assert [key for key, *_ in quarantined(lake)] == [1]
    lake.land([{"order_id": 1, "x": "z"}], X, epoch=EPOCH + 2, generation=3)
    merge(lake, mode="overwrite", contract=contract)
    assert quarantined(lake) == []  # of a generation that is gone
    assert not list(lake.home.glob("lake/landing_quarantine/**/*.parquet"))
