"""Once a transition, to whom it concerns, when it is time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.observability.alerts.alert import AlertName
from lakehouse_tests.observability.alerts.made import NOON, alert
from lakehouse_tests.observability.alerts.pipeline import Pipeline, alerting
from lakehouse_tests.observability.alerts.receiver import Receiver

ORDERS, DAYS = "AssetStale/gold/orders", "AssetStale/gold/days"


@pytest.fixture
def pager() -> Iterator[Receiver]:
    receiver = Receiver().start()
    yield receiver
    receiver.stop()


def hook(receiver: Receiver) -> dict[str, Any]:
    return {"type": "webhook", "url": receiver.url}


def pipeline(home: Path, receiver: Receiver, **document: Any) -> Pipeline:
    return Pipeline(home, alerting(sinks={"hook": hook(receiver)}, **document))


def test_once_when_it_fires_and_once_when_it_is_over(tmp_path: Path, receiver: Receiver) -> None:
    looks = pipeline(tmp_path, receiver)
    for alerts in ([], [alert()], [alert()], [], [], [alert()], []):
        looks.tick(*alerts)
    assert receiver.told == [("firing", ORDERS), ("resolved", ORDERS)] * 2
    first, over, second, _ = [body["alerts"][0] for body in receiver.bodies]
    assert first["startsAt"] == over["startsAt"] < over["endsAt"] < second["startsAt"]


def test_what_one_look_finds_is_one_message(tmp_path: Path, receiver: Receiver) -> None:
    looks = pipeline(tmp_path, receiver)
    looks.tick(*[alert(f"gold/{number}") for number in range(20)])
    looks.tick(alert())
    assert [len(body["alerts"]) for body in receiver.bodies] == [20, 21]


def test_grouped_as_declared(tmp_path: Path, receiver: Receiver) -> None:
    routes = [{"name": "all", "sinks": ["hook"], "group_by": ["owner"]}]
    looks = pipeline(tmp_path, receiver, routes=routes)
    looks.tick(alert(), alert("gold/days"), alert("gold/other", owner="team:other"))
    assert [body["commonLabels"]["owner"] for body in receiver.bodies] == ["team:commerce", "team:other"]


def test_it_is_told_again_when_it_gets_worse_and_not_when_it_gets_better(
    tmp_path: Path, receiver: Receiver, pager: Receiver
) -> None:
    routes = [
        {"name": "critical", "match": {"severity": ["critical"]}, "sinks": ["pager"], "continue": True},
        {"name": "all", "sinks": ["hook"]},
    ]
    looks = Pipeline(tmp_path, alerting(sinks={"hook": hook(receiver), "pager": hook(pager)}, routes=routes))
    for severity in ("warning", "critical", "critical", "warning"):
        looks.tick(alert(severity=severity))
    assert receiver.told == [("firing", ORDERS)] * 2
    assert pager.told == [("firing", ORDERS)]
    looks.tick()
    assert receiver.told[2:] == pager.told[1:] == [("resolved", ORDERS)]


def test_quiet_hours_hold_back_all_but_critical(tmp_path: Path, receiver: Receiver) -> None:
    quiet = {"from": "22:00", "to": "07:00"}
    looks = pipeline(tmp_path, receiver, routes=[{"name": "all", "sinks": ["hook"], "quiet_hours": quiet}])
    looks.now = NOON.replace(hour=23)
    worse, passing = alert(severity="warning"), alert("gold/days", severity="warning")
    assert looks.tick(worse, passing).waiting == 2
    looks.tick(worse)  # days is over again
    assert receiver.bodies == []
    looks.tick(alert())  # critical by now: it gets through, with what came before of it
    assert receiver.told == [("firing", ORDERS), ("firing", ORDERS)]
    looks.tick(alert(), hours=9)
    looks.tick(alert())
    assert receiver.told[2:] == [("firing", DAYS), ("resolved", DAYS)]
    (held,) = receiver.bodies[1:]
    assert held["alerts"][0]["startsAt"].startswith("2026-03-02T23:00:15")


def test_a_silence_holds_what_fires_and_not_what_is_over(tmp_path: Path, receiver: Receiver) -> None:
    looks = pipeline(tmp_path, receiver)
    looks.tick(alert())
    looks.store.silence("gold/*", looks.now + timedelta(hours=2))
    days = alert("gold/days")
    looks.tick(days)  # orders is over
    assert receiver.told == [("firing", ORDERS), ("resolved", ORDERS)]
    looks.tick(days, alert("gold/brief"))
    looks.tick(days)
    assert len(receiver.told) == 2
    looks.tick(days, hours=2)
    assert receiver.told[2:] == [("firing", DAYS)]
    assert looks.store.silences(NOON) == []


def test_what_must_last_is_told_when_it_did(tmp_path: Path, receiver: Receiver) -> None:
    looks = pipeline(tmp_path, receiver)
    down = alert("airbyte", name=AlertName.SERVICE_DOWN, asset="")
    looks.tick(down)
    looks.tick()
    assert receiver.bodies == []
    looks.tick(down)
    looks.tick(down, seconds=59)
    assert receiver.bodies == []
    looks.tick(down, seconds=1)
    looks.tick()
    assert [status for status, _ in receiver.told] == ["firing", "resolved"]


def test_a_source_that_could_not_look_ends_nothing(tmp_path: Path, receiver: Receiver) -> None:
    looks = pipeline(tmp_path, receiver)
    looks.tick(alert())
    looks.tick(looked=())
    assert receiver.told == [("firing", ORDERS)]
    looks.tick()
    assert receiver.told[1:] == [("resolved", ORDERS)]


def test_a_sink_that_is_down_keeps_nobody_waiting(
    tmp_path: Path, receiver: Receiver, pager: Receiver
) -> None:
    looks = Pipeline(tmp_path, alerting(sinks={"pager": hook(pager), "hook": hook(receiver)}))
    pager.stop()
    looks.tick(alert())
    looks.tick()
    looks.tick(alert())
    assert receiver.told == [("firing", ORDERS), ("resolved", ORDERS), ("firing", ORDERS)]
    pager.start()
    assert looks.tick(alert()).sent == 3
    assert pager.told == receiver.told
    assert len(pager.bodies) == 1


def test_a_message_that_is_refused_keeps_no_other_waiting(tmp_path: Path, receiver: Receiver) -> None:
    looks = pipeline(tmp_path, receiver)
    receiver.status = 400
    told = looks.tick(alert())
    assert (told.sent, told.waiting) == (0, 1)
    assert "refused the message (400)" in told.problems[0]
    receiver.status = 200
    assert looks.tick(alert()).waiting == 0


def test_a_sink_that_is_declared_later_hears_of_what_fires(
    tmp_path: Path, receiver: Receiver, pager: Receiver
) -> None:
    looks = pipeline(tmp_path, receiver)
    looks.tick(alert())
    looks.rules = alerting(sinks={"hook": hook(receiver), "pager": hook(pager)})
    looks.tick(alert())
    assert (receiver.told, pager.told) == ([("firing", ORDERS)], [("firing", ORDERS)])


def test_a_clock_that_is_set_back(tmp_path: Path, receiver: Receiver) -> None:
    looks = pipeline(tmp_path, receiver)
    looks.tick(alert())
    looks.tick(hours=-3)
    over = receiver.bodies[1]["alerts"][0]
    assert over["startsAt"] <= over["endsAt"]
    assert datetime.fromisoformat(over["endsAt"]).tzinfo == UTC
