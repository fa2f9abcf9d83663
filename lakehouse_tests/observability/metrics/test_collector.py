"""Sources that are down, slow or broken take nothing from the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from prometheus_client import CollectorRegistry, Counter

from lakehouse.errors import ServiceDownError
from lakehouse.observability.metrics import collector
from lakehouse.observability.metrics.collector import PlatformCollector
from lakehouse.observability.metrics.exposition import exposition
from lakehouse.observability.metrics.metric import Distribution, Metric
from lakehouse.observability.metrics.source import Reading, Source
from lakehouse_tests.embedded.airbyte.fixtures import eventually
from lakehouse_tests.observability.metrics.read import Samples, samples

NOW, LATER = timedelta(), timedelta(hours=1)
HEIGHT = Metric("tree_height", "gauge", "How high.", ("tree",))
APPLES = Metric("apples_total", "counter", "How many.", ("tree",))
WEIGHT = Metric("apple_weight", "histogram", "Of one.", (), (1, 2))


def source(
    read: Callable[[], Reading] = dict, *metrics: Metric, name: str = "tree", every: timedelta = NOW
) -> Source:
    return Source(name, metrics or (HEIGHT,), read, every)


def height(*values: float) -> Callable[[], Reading]:
    """One after the other, at every reading; the last one goes on."""
    left = list(values)
    return lambda: {HEIGHT: [(("oak",), left.pop(0) if len(left) > 1 else left[0])]}


def fails(error: Exception) -> Callable[[], Reading]:
    def read() -> Reading:
        raise error

    return read


def registry_of(*sources: Source, patience: float = 30) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(PlatformCollector(sources, patience=patience))
    return registry


def test_each_kind_of_metric() -> None:
    values: Reading = {
        HEIGHT: [(("oak",), 12.5), (('a"b\nc',), 1)],
        APPLES: [(("oak",), 3)],
        WEIGHT: [((), Distribution([1, 0, 4], 17.5))],
    }
    text = exposition(registry_of(source(lambda: values, HEIGHT, APPLES, WEIGHT))).decode()
    found = samples(text)
    assert found["tree_height", "oak"] == 12.5
    assert found["tree_height", 'a"b\nc'] == 1
    assert found["apples_total", "oak"] == 3
    assert [found["apple_weight_bucket", bound] for bound in ("1.0", "2.0", "+Inf")] == [1, 1, 5]
    assert (found["apple_weight_count",], found["apple_weight_sum",]) == (5, 17.5)
    assert "# TYPE apple_weight histogram" in text


def test_registering_asks_nobody_and_a_server_may_add_its_own() -> None:
    registry = registry_of(source(fails(AssertionError("asked"))))
    Counter("requests", "Of the server.", registry=registry).inc()
    with pytest.raises(ValueError, match="Duplicated"):
        Counter("tree_height", "Has the name already.", registry=registry)
    assert samples(exposition(registry).decode())["requests_total",] == 1


def scrape(registry: CollectorRegistry) -> Samples:
    return samples(exposition(registry).decode())


def oak(registry: CollectorRegistry) -> float | None:
    return scrape(registry).get(("tree_height", "oak"))


def test_one_that_is_down_takes_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    registry = registry_of(
        source(fails(ServiceDownError("does not answer", where="Orchard")), APPLES, name="orchard"),
        source(fails(ZeroDivisionError("a bug")), WEIGHT, name="scales"),
        source(height(3, 4)),
    )
    for expected in (3, 4):
        eventually(lambda expected=expected: oak(registry) == expected)  # type: ignore[misc]
        text = exposition(registry).decode()
        found = samples(text)
        up = {name: found["lakehouse_metrics_source_up", name] for name in ("orchard", "scales", "tree")}
        assert up == {"orchard": 0, "scales": 0, "tree": 1}
        assert ("apples_total", "oak") not in found
        assert "# TYPE apples_total counter" in text
        assert "# TYPE apple_weight histogram" in text
    # Once, not at every scrape.
    assert sorted(record.message for record in caplog.records) == [
        "no metrics of orchard: Orchard: does not answer",
        "no metrics of scales: a bug",
    ]


def test_an_old_value_is_not_served_for_a_new_one_and_it_comes_back() -> None:
    down = Event()

    def read() -> Reading:
        if down.is_set():
            raise ServiceDownError("does not answer")
        return {HEIGHT: [(("oak",), 3)]}

    registry = registry_of(source(read))
    assert oak(registry) == 3
    down.set()
    eventually(lambda: oak(registry) is None)
    down.clear()
    eventually(lambda: oak(registry) == 3)


def test_an_answer_is_kept_for_a_while() -> None:
    registry = registry_of(source(height(3, 4), every=LATER))
    assert oak(registry) == oak(registry) == 3
    assert scrape(registry)["lakehouse_metrics_source_age_seconds", "tree"] > 0


def test_what_nobody_asked_for_a_long_time_is_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = registry_of(source(height(3, 4), every=LATER))
    assert oak(registry) == 3
    later = time.monotonic() + LATER.total_seconds() + collector.STALE + 1
    monkeypatch.setattr(collector.time, "monotonic", lambda: later)
    assert oak(registry) == 4


def test_a_slow_one_is_served_from_its_answer_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now, go_on = [3.0], Event()
    go_on.set()

    def read() -> Reading:
        found = now[0]
        assert go_on.wait(60)
        return {HEIGHT: [(("oak",), found)]}

    registry = registry_of(source(read))
    assert oak(registry) == 3
    go_on.clear()
    now[0] = 4
    for _ in range(3):
        assert oak(registry) == 3
    monkeypatch.setattr(collector, "OVERDUE", 0.0)
    found = scrape(registry)
    assert ("tree_height", "oak") not in found
    assert found["lakehouse_metrics_source_up", "tree"] == 0
    monkeypatch.undo()
    go_on.set()
    eventually(lambda: oak(registry) == 4)


def test_many_scrapes_at_once_ask_a_source_once() -> None:
    registry = registry_of(source(height(3, 4), every=LATER))
    with ThreadPoolExecutor(8) as scrapes:
        found = list(scrapes.map(lambda _: oak(registry), range(40)))
    assert set(found) <= {None, 3}
    assert oak(registry) == 3
