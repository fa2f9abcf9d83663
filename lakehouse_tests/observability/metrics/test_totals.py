"""Totals only grow: after restarts, in several processes, and when the source has forgotten."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metadata.tables import metric_totals
from lakehouse.observability.metrics.metric import Distribution, Metric
from lakehouse.observability.metrics.totals import News, Observation, totals
from lakehouse_tests.observability.metadata.conftest import database, metadata, postgres_port, url

__all__ = ["database", "metadata", "postgres_port", "url"]
APPLES = Metric("apples_total", "counter", "How many.", ("tree",))
WEIGHT = Metric("apple_weight", "histogram", "Of one.", ("tree",), (1, 2))
COUNT_TO_THIRTY = """
import sys
from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse.observability.metrics.metric import Metric
from lakehouse.observability.metrics.totals import News, Observation, totals

APPLES = Metric("apples_total", "counter", "How many.", ("tree",))
database = MetadataDatabase(sys.argv[1])
def follow(cursor):
    at = (cursor or 0) + 1
    return News(at, [Observation(APPLES, ("oak",))]) if at <= 30 else News(cursor, ())
print("ready", flush=True)
sys.stdin.readline()
while totals(database, "tree", [APPLES], follow)[APPLES][0][1] < 30: pass
"""


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


@pytest.mark.slow
def test_several_processes_add_nothing_twice(metadata: MetadataDatabase, url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT_TO_THIRTY, url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        _, error = process.communicate("go\n", timeout=120)
        assert process.returncode == 0, error
    with metadata.transaction() as connection:
        row = connection.execute(sa.select(metric_totals)).one()
    assert (row.cursor, json.dumps(row.totals)) == (30, '[["apples_total", ["oak"], 30.0]]')
