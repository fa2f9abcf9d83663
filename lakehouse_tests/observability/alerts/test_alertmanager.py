"""What a real Alertmanager makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.observability.alerts.sinks.alertmanager import AHEAD
from lakehouse_tests.embedded.airbyte.fixtures import eventually
from lakehouse_tests.observability.alerts.alertmanager import Alertmanager, running_alertmanager, telling
from lakehouse_tests.observability.alerts.made import alert
from lakehouse_tests.observability.alerts.pipeline import Pipeline, alerting
from lakehouse_tests.observability.alerts.receiver import Receiver

pytestmark = pytest.mark.slow
KEY, WATCHDOG = "AssetStale/gold/orders", "Watchdog/alerts"


@pytest.fixture
def server(tmp_path: Path, receiver: Receiver) -> Iterator[Alertmanager]:
    """It tells the receiver."""
    with running_alertmanager(tmp_path / "alertmanager", telling(receiver.url)) as server:
        yield server


def pipeline(home: Path, server: Alertmanager, **sinks: object) -> Pipeline:
    rules = alerting(sinks={"am": {"type": "alertmanager", "url": server.url}, **sinks})
    # Looks are 15 seconds apart, and the server has the real clock: an end must not be ahead of it.
    return Pipeline(home, rules, datetime.now(UTC) - timedelta(minutes=2))


def of(receiver: Receiver, key: str) -> list[str]:
    return [status for status, told in receiver.told if told == key]


def test_it_fires_there_with_its_labels_and_is_over_there(
    tmp_path: Path, server: Alertmanager, receiver: Receiver
) -> None:
    looks = pipeline(tmp_path, server)
    looks.tick(alert())
    first = server.alerts()[KEY]
    assert first["labels"] == {
        "alertname": "AssetStale",
        "subject": "gold/orders",
        "asset": "gold/orders",
        "group": "gold",
        "owner": "team:commerce",
        "severity": "critical",
    }
    assert first["annotations"]["runbook_url"] == "docs/alerts.md#assetstale"
    looks.tick(alert())
    again = server.alerts()[KEY]
    assert again["startsAt"] == first["startsAt"]
    told = datetime.fromisoformat(again["endsAt"]) - datetime.fromisoformat(first["endsAt"])
    assert told == timedelta(seconds=15)
    assert again["endsAt"] == as_told(looks.now + AHEAD)
    eventually(lambda: of(receiver, KEY) == ["firing"])
    looks.tick()
    assert KEY not in server.alerts()
    eventually(lambda: of(receiver, KEY) == ["firing", "resolved"])
    assert WATCHDOG in server.alerts()


def as_told(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_down_for_a_while(tmp_path: Path, server: Alertmanager, receiver: Receiver) -> None:
    other = Receiver().start()
    looks = pipeline(tmp_path, server, hook={"type": "webhook", "url": other.url})
    server.stop()
    gone, stays = alert("gold/gone"), alert("gold/stays")
    told = looks.tick(gone, stays)
    assert (told.sent, told.waiting) == (2, 2)
    assert told.problems[0].startswith("am: 127.0.0.1:")
    looks.tick(stays)
    assert other.told == [
        ("firing", "AssetStale/gold/gone"),
        ("firing", "AssetStale/gold/stays"),
        ("resolved", "AssetStale/gold/gone"),
    ]
    server.start()
    assert (looks.tick(stays).sent, looks.tick(stays).waiting) == (3, 0)
    assert set(server.alerts()) == {"AssetStale/gold/stays", WATCHDOG}
    eventually(lambda: of(receiver, "AssetStale/gold/stays") == ["firing"])
    assert len(other.told) == 3
    other.stop()


def test_quiet_hours_keep_it_from_there_too(tmp_path: Path, server: Alertmanager) -> None:
    looks = pipeline(tmp_path, server)
    quiet = (
        (looks.now - timedelta(hours=1)).strftime("%H:%M"),
        (looks.now + timedelta(hours=1)).strftime("%H:%M"),
    )
    held = alerting(
        sinks={"am": {"type": "alertmanager", "url": server.url}},
        routes=[{"name": "all", "sinks": ["am"], "quiet_hours": {"from": quiet[0], "to": quiet[1]}}],
    )
    looks.rules = held
    warning = alert(severity="warning")
    looks.tick(warning)
    looks.tick(warning)
    assert set(server.alerts()) == {WATCHDOG}
    looks.rules = alerting(sinks={"am": {"type": "alertmanager", "url": server.url}})
    looks.tick(warning)
    assert set(server.alerts()) == {WATCHDOG, KEY}
