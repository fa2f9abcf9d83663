"""Rows that share a key, or have none, are counted: in the days of the run, or in all."""

from __future__ import annotations

from datetime import date

import pytest

from lakehouse.catalog.meta import PartitionBy
from lakehouse.defs.checks import look
from lakehouse.defs.checks.keys import NAME
from lakehouse_tests.defs.checks.conftest import Orders, gold, look_at, numbers, order, outcome
from lakehouse_tests.warehouse import Warehouse

pytestmark = pytest.mark.slow


def fill(warehouse: Warehouse, name: str, *rows: tuple[str, str, str]) -> None:
    warehouse.engine.rows(f"drop table if exists lake.gold.{name}")
    selects = [
        f"select {order} as order_id, {line} as line, date '{day}' as day" for order, line, day in rows
    ]
    warehouse.engine.rows(f"create table lake.gold.{name} as {' union all '.join(selects)}")


def test_keys_of_two_columns(warehouse: Warehouse) -> None:
    model = gold("lines", unique_key=("order_id", "line"))
    good = [("1", "'a'", "2025-01-01"), ("1", "'b'", "2025-01-01"), ("2", "'a'", "2025-01-02")]
    fill(warehouse, model.name, *good)
    check = look_at(warehouse, model)[NAME]
    assert outcome(check) == "PASS"
    assert numbers(check)["days"] == "all"
    fill(warehouse, model.name, *good, good[0], good[0], ("3", "cast(null as varchar)", "2025-01-02"))
    check = look_at(warehouse, model)[NAME]
    assert outcome(check) == "ERROR"
    assert check.description == "keys of more than one row: 1, such as 1/a (3); rows without their key: 1"
    told = numbers(check)
    assert (told["repeated_keys"], told["repeated_rows"], told["rows_without_key"]) == (1, 3, 1)


def test_only_the_days_of_the_run_are_read(warehouse: Warehouse) -> None:
    days = PartitionBy(column="day", start=date(2025, 1, 1))
    model = gold("days", unique_key=("order_id",), partition_by=days)
    twice = ("1", "'a'", "2025-01-01")
    fill(warehouse, model.name, twice, twice, ("2", "'a'", "2025-01-02"))
    assert outcome(look_at(warehouse, model)[NAME]) == "ERROR"
    check = look_at(warehouse, model, ("2025-01-02", "2025-01-03"))[NAME]
    assert outcome(check) == "PASS"
    assert numbers(check)["days"] == "2025-01-02 to 2025-01-03"
    assert outcome(look_at(warehouse, model, ("2025-01-01", "2025-01-01"))[NAME]) == "ERROR"


def test_a_big_table_is_not_counted_again_and_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "MANY_ROWS", 1)
    model = gold("big", unique_key=("order_id",))
    one = ("1", "'a'", "2025-01-01")
    fill(warehouse, model.name, one, ("2", "'a'", "2025-01-01"))
    first = look_at(warehouse, model)[NAME]
    fill(warehouse, model.name, one, one)
    second = look_at(warehouse, model)[NAME]
    assert numbers(second) == numbers(first)
    assert outcome(second) == "PASS"
    monkeypatch.setattr(look, "MANY_ROWS", 2)
    assert outcome(look_at(warehouse, model)[NAME]) == "ERROR"


def test_without_dremio_nobody_knows(orders: Orders) -> None:
    day = date(2025, 1, 2)
    orders.land(order(1, day))
    checks = orders.merge(day)
    assert outcome(checks[NAME]) == "WARN"
    assert "Dremio" in (checks[NAME].description or "")
    assert outcome(checks["columns_as_before"]) == "PASS"
