"""Columns that come, go or change their type are told until they are undone or declared."""

from __future__ import annotations

import pytest

from lakehouse.catalog.datasets import Column
from lakehouse.defs.checks.columns import NAME
from lakehouse_tests.defs.checks.conftest import gold, look_at, numbers, outcome
from lakehouse_tests.warehouse import Warehouse

pytestmark = pytest.mark.slow
FIRST = "cast(1 as bigint) as id, cast(2 as decimal(10, 2)) as price, 'x' as note"


def rebuild(warehouse: Warehouse, name: str, columns: str) -> None:
    warehouse.engine.rows(f"drop table if exists lake.gold.{name}")
    warehouse.engine.rows(f"create table lake.gold.{name} as select {columns}")


def test_drift_is_told_until_it_is_undone_or_declared(warehouse: Warehouse) -> None:
    model = gold("drifting")
    rebuild(warehouse, model.name, FIRST)
    for _ in range(2):
        check = look_at(warehouse, model)[NAME]
        assert outcome(check) == "PASS"
    assert numbers(check)["columns_before"] == {"id": "bigint", "price": "decimal(10,2)", "note": "varchar"}

    rebuild(warehouse, model.name, f"{FIRST}, date '2025-01-01' as born")
    check = look_at(warehouse, model)[NAME]
    assert outcome(check) == "WARN"
    assert numbers(check)["added"] == ["born date"]

    rebuild(warehouse, model.name, "'1' as id, cast(2 as decimal(10, 2)) as price, date '2025-01-01' as born")
    for _ in range(2):  # another run without a change does not make it right
        check = look_at(warehouse, model)[NAME]
        assert outcome(check) == "ERROR"
        assert numbers(check)["dropped_or_retyped"] == [
            "note varchar is gone",
            "id was bigint and is varchar",
        ]
    assert check.description == (
        "note varchar is gone; id was bigint and is varchar; new: born date; undo it, or declare the columns in the"
        " dbt project"
    )

    declared = gold(
        "drifting",
        columns=(
            Column("id", "varchar", ""),
            Column("price", "decimal(10, 2)", ""),
            Column("born", "date", ""),
        ),
    )
    assert outcome(look_at(warehouse, declared)[NAME]) == "PASS"
    assert outcome(look_at(warehouse, model)[NAME]) == "PASS"
    rebuild(warehouse, model.name, "'1' as id, cast(2 as decimal(10, 2)) as price")
    check = look_at(warehouse, declared)[NAME]
    assert (outcome(check), numbers(check)["dropped_or_retyped"]) == ("ERROR", ["born date is gone"])


def test_a_table_that_is_as_it_was_again_passes(warehouse: Warehouse) -> None:
    model = gold("undone")
    for columns, expected in ((FIRST, "PASS"), ("1 as id", "ERROR"), (FIRST, "PASS")):
        rebuild(warehouse, model.name, columns)
        assert outcome(look_at(warehouse, model)[NAME]) == expected
