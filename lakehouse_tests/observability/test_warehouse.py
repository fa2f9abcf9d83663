"""What reflections were good for."""

from __future__ import annotations

from datetime import UTC, datetime

from lakehouse.observability.warehouse import Query, Use, uses_of


def query(job: str, seconds: float, datasets: str = "lake.gold.a", *, accelerated: bool = False) -> Query:
    return Query(job, "ana", "SELECT 1", datasets, accelerated, datetime.now(UTC), seconds)


def test_a_reflection_saved_what_its_queries_take_without_it() -> None:
    queries = [
        query("1", 4.0),
        query("2", 2.0),
        query("3", 9.0),
        query("4", 0.5, accelerated=True),
        query("5", 5.0, accelerated=True),
        query("6", 0.1, "lake.gold.b", accelerated=True),
    ]
    chosen = {"4": ["r1"], "5": ["r1", "r2"], "6": ["r3"], "gone": ["r1"]}
    assert uses_of(queries, chosen) == {"r1": Use(2, 3.5), "r2": Use(1, 0.0), "r3": Use(1, None)}


def test_what_was_never_chosen_was_not_used() -> None:
    assert uses_of([query("1", 1.0, accelerated=True)], {}) == {}
