"""Totals only grow: after restarts, in several processes, and when the source has forgotten."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metadata.tables import metric_totals
from lakehouse.observability.metrics.metric import Distribution, Metric
from lakehouse.observability.metrics.totals import News, Observation, totals
from lakehouse_tests.observability.metadata.conftest import database, metadata, postgres_port, url

__all__ = ["database", "metadata", "postgres_port", "url"]
APPLES = Metric("apples_total", "counter", "How many.", ("tree",))
WEIGHT = Metric("apple_weight", "histogram", "Of one.", ("tree",), (1, 2))


class Tree:
    """Apples that fell, numbered; asked for those after a number."""

    def __init__(self, *weights: float) -> None:
        self.fallen = list(enumerate(weights, 1))

    def follow(self, cursor: Any) -> News:
        new = [(number, weight) for number, weight in self.fallen if number > (cursor or 0)]
        observed = [
            Observation(metric, ("oak",), value)
            for _, weight in new
            for metric, value in ((APPLES, 1), (WEIGHT, weight))
        ]
        return News(max([cursor or 0, *(number for number, _ in new)]), observed)


def read(metadata: MetadataDatabase, tree: Tree) -> dict[Metric, Any]:
    found = totals(metadata, "tree", [APPLES, WEIGHT], tree.follow)
    return {metric: dict(values) for metric, values in found.items()}


def test_they_grow_and_survive_what_is_forgotten(metadata: MetadataDatabase, url: str) -> None:
    tree = Tree(0.5, 2, 3)
    first = read(metadata, tree)
    assert first == {APPLES: {("oak",): 3}, WEIGHT: {("oak",): Distribution([1, 1, 1], 5.5)}}
    assert read(metadata, tree) == first
    tree.fallen = [(4, 1.5)]
    again = read(MetadataDatabase(url), tree)
    assert again == {APPLES: {("oak",): 4}, WEIGHT: {("oak",): Distribution([1, 2, 1], 7.0)}}


def test_nothing_happened_yet(metadata: MetadataDatabase) -> None:
    assert read(metadata, Tree()) == {APPLES: {}, WEIGHT: {}}


def test_other_buckets_or_labels_begin_anew(metadata: MetadataDatabase) -> None:
    read(metadata, Tree(0.5))
    finer = Metric("apple_weight", "histogram", "Of one.", ("tree",), (1, 1.5, 2))
    found = totals(metadata, "tree", [finer], lambda cursor: News(cursor, ()))
    assert list(found[finer]) == []


def count_to_thirty(url: str) -> None:
    """One at a time, as one of several processes that serve metrics."""
    metadata = MetadataDatabase(url)

    def follow(cursor: Any) -> News:
        at = (cursor or 0) + 1
        return News(at, [Observation(APPLES, ("oak",))]) if at <= 30 else News(cursor, ())

    while dict(totals(metadata, "tree", [APPLES], follow)[APPLES])["oak",] < 30:  # type: ignore[operator]
        pass


def test_several_servers_add_nothing_twice(metadata: MetadataDatabase, url: str) -> None:
    with metadata.transaction():
        pass  # migrated once
    with ThreadPoolExecutor(3) as servers:
        list(servers.map(count_to_thirty, [url] * 3))
    with metadata.transaction() as connection:
        row = connection.execute(sa.select(metric_totals)).one()
    assert (row.cursor, json.dumps(row.totals)) == (30, '[["apples_total", ["oak"], 30.0]]')
