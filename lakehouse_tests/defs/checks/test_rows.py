"""A row count that is unlike the table's own history is warned of."""

from __future__ import annotations

from datetime import date

import pytest

from lakehouse.defs.checks.rows import LEAST, NAME, unusual
from lakehouse_tests.defs.checks.conftest import Orders, numbers, order, outcome

DAY = date(2025, 1, 2)


@pytest.mark.slow
def test_a_jump_is_warned_of_once_there_is_a_history(orders: Orders) -> None:
    count = 0

    def grow(rows: int) -> None:
        nonlocal count
        orders.land(*(order(number, DAY) for number in range(count, count + rows)))
        count += rows

    grow(200)
    check = orders.merge(DAY)[NAME]
    assert outcome(check) == "PASS"
    assert check.description == f"0 earlier states are known; {LEAST} are needed to tell what is usual"
    for _ in range(LEAST):
        grow(2)
        check = orders.merge(DAY)[NAME]
        assert outcome(check) == "PASS"
        assert outcome(orders.merge(DAY)[NAME]) == "PASS"  # the same state again is no further history
    assert numbers(check)["history"] == LEAST
    grow(90)
    check = orders.merge(DAY)[NAME]
    assert outcome(check) == "WARN"
    assert check.description == "300 rows; usual are 205, give or take 22.2"
    assert numbers(check) | {"snapshot": ""} == {
        "rows": 300,
        "snapshot": "",
        "history": LEAST + 1,
        "usual_rows": 205.0,
        "usual_deviation": 22.2,
    }


@pytest.mark.parametrize(
    ("rows", "history", "expected"),
    [
        (100, [100] * 5, False),
        (109, [100] * 5, False),
        (111, [100] * 5, True),
        (3, [4, 4, 5, 5, 4], False),
        (0, [4, 4, 5, 5, 4], True),
        (60, [10, 20, 30, 40, 50], False),  # grows evenly
        (200, [10, 20, 30, 40, 50], True),
        (0, [0] * 5, False),
        (1000, [1000, 1020, 990, 1010, 100_000], False),  # an anomaly in the history is none of its measures
    ],
)
def test_what_is_unusual(rows: int, history: list[int], expected: bool) -> None:
    assert (unusual(rows, history) is not None) == expected
