"""The store on both databases that the metadata may be in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lakehouse.observability.alerts.alert import Alert, Severity
from lakehouse.observability.alerts.store import AlertStore
from lakehouse.observability.alerts.transitions import Changes, Open, Told
from lakehouse.observability.metadata.database import MetadataDatabase
from lakehouse_tests.observability.alerts.made import NOON, alert
from lakehouse_tests.observability.metadata.conftest import database, metadata, postgres_port, url

__all__ = ["database", "metadata", "postgres_port", "url"]


@pytest.fixture
def store(metadata: MetadataDatabase) -> AlertStore:
    return AlertStore(metadata)


def opened(one: Alert, **told: Severity) -> Open:
    return Open("test", one, told, dict.fromkeys(told, "all"))


def test_what_is_recorded_is_found_again(store: AlertStore) -> None:
    one = opened(alert(starts_at=NOON), hook=Severity.CRITICAL)
    told = [Told(sink, "all", "firing", one.alert) for sink in ("hook", "mail")]
    store.record(NOON, {"runs": {"seen": [1]}}, lambda before: Changes([one], [], told))
    assert store.open() == {"AssetStale/gold/orders": one}
    assert store.kept() == {"runs": {"seen": [1]}}
    first, second = store.undelivered()
    assert (first.sink, second.sink, first.alert, first.at) == ("hook", "mail", one.alert, NOON)
    store.delivered([first.id])
    assert store.undelivered() == [second]
    over = Told("hook", "all", "resolved", alert(starts_at=NOON, ends_at=NOON))
    store.record(NOON, {"runs": {}}, lambda before: Changes([], list(before), [over]))
    assert (store.open(), store.kept()) == ({}, {"runs": {}})
    assert [told.transition for told in store.undelivered()] == ["firing", "resolved"]
    assert store.undelivered()[1].id > second.id


def test_all_or_nothing(store: AlertStore) -> None:
    def breaks(before: object) -> Changes:
        raise KeyboardInterrupt

    store.record(NOON, {}, lambda before: Changes([opened(alert())], [], []))
    with pytest.raises(KeyboardInterrupt):
        store.record(NOON, {"runs": 1}, breaks)
    wrong = Changes([opened(alert("gold/days"))], [], [Told("hook", None, "firing", alert())])  # type: ignore[arg-type]
    with pytest.raises(Exception, match="refuses"):
        store.record(NOON, {"runs": 1}, lambda before: wrong)
    assert set(store.open()) == {"AssetStale/gold/orders"}
    assert store.kept() == {}


def test_a_number_is_never_used_again(store: AlertStore) -> None:
    told = Told("hook", "all", "firing", alert())
    store.record(NOON, {}, lambda before: Changes([], [], [told]))
    (first,) = store.undelivered()
    store.delivered([first.id])
    store.record(NOON, {}, lambda before: Changes([], [], [told]))
    (second,) = store.undelivered()
    assert second.id > first.id


def test_silences_end_by_themselves(store: AlertStore) -> None:
    store.silence("gold/*", NOON + timedelta(hours=1))
    store.silence("gold/*", NOON + timedelta(hours=2))
    (silence,) = store.silences(NOON)
    assert silence.until == NOON + timedelta(hours=2)
    assert store.silences(silence.until) == []
    store.record(silence.until, {}, lambda before: Changes([], [], []))
    assert store.silences(NOON) == []
