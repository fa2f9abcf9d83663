"""A whole look: sources that cannot look, that are not due, and sinks that take nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from lakehouse.defs.monitoring.evaluate import SOURCES, Source
from lakehouse.defs.monitoring.look import Look
from lakehouse.errors import ServiceDownError
from lakehouse.observability.alerts.alert import Alert
from lakehouse_tests.defs.monitoring.watched import Watched
from lakehouse_tests.observability.alerts.made import alert
from lakehouse_tests.observability.alerts.receiver import Receiver

pytestmark = pytest.mark.slow
ORDERS = "AssetStale/gold/orders"


class World:
    """What a source of the test sees."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = [alert()]
        self.down = False
        self.looks = 0

    def __call__(self, look: Look) -> Iterator[Alert]:
        self.looks += 1
        yield from self.alerts
        if self.down:
            raise ServiceDownError("does not answer", where="Teapot at http://127.0.0.1:1")


@pytest.fixture
def world() -> World:
    return World()


def test_a_source_that_cannot_look(watched: Watched, world: World) -> None:
    sources = [Source("teapot", world)]
    watched.tick(sources)
    world.down, world.alerts = True, []
    for _ in range(6):
        watched.tick(sources, seconds=15)
    assert watched.receiver.told == [("firing", ORDERS), ("firing", "ServiceDown/teapot")]
    world.down = False
    watched.tick(sources, seconds=15)
    assert sorted(watched.receiver.told[2:]) == [("resolved", ORDERS), ("resolved", "ServiceDown/teapot")]


def test_one_that_is_not_due_is_not_asked(watched: Watched, world: World) -> None:
    sources = [Source("teapot", world, every=timedelta(minutes=1))]
    watched.tick(sources)
    world.alerts = []
    for _ in range(3):
        watched.tick(sources, seconds=15)
    assert (world.looks, watched.receiver.told) == (1, [("firing", ORDERS)])
    watched.tick(sources, seconds=15)
    assert (world.looks, watched.receiver.told[1:]) == (2, [("resolved", ORDERS)])


def test_a_sink_that_takes_nothing_is_told_by_the_others(watched: Watched, world: World) -> None:
    other = Receiver().start()
    hooks = {"hook": watched.receiver.url, "gone": other.url}
    watched.declare(sinks={name: {"type": "webhook", "url": url} for name, url in hooks.items()})
    other.stop()
    sources = [Source("teapot", world)]
    watched.tick(sources)
    watched.tick(sources, minutes=9)
    assert watched.receiver.told == [("firing", ORDERS)]
    watched.tick(sources, minutes=1)
    watched.tick(sources, minutes=1)
    undelivered = "NotificationsUndelivered/gone"
    assert watched.receiver.told[1:] == [("firing", undelivered)]
    other.start()
    watched.tick(sources, seconds=15)
    watched.tick(sources, seconds=15)
    assert watched.receiver.told[2:] == [("resolved", undelivered)]
    assert other.told == watched.receiver.told
    other.stop()


def test_a_sink_that_is_not_declared_any_more_keeps_its_own(watched: Watched, world: World) -> None:
    watched.receiver.stop()
    sources = [Source("teapot", world)]
    watched.tick(sources)
    other = Receiver().start()
    watched.declare(sinks={"other": {"type": "webhook", "url": other.url}})
    assert watched.tick(sources, minutes=11).delivered.waiting == 1
    assert other.told == [("firing", ORDERS), ("firing", "NotificationsUndelivered/hook")]
    assert "it is not declared any more" in other.bodies[0]["alerts"][1]["annotations"]["summary"]
    other.stop()


def test_what_quiet_hours_held_back_is_not_late(watched: Watched, world: World) -> None:
    quiet = {"from": "22:00", "to": "07:00"}
    watched.declare(
        sinks={"hook": {"type": "webhook", "url": watched.receiver.url}},
        routes=[{"name": "all", "sinks": ["hook"], "quiet_hours": quiet}],
    )
    watched.now = watched.now.replace(hour=23)
    sources = [Source("teapot", world)]
    world.alerts = [alert(severity="warning")]
    watched.tick(sources)
    assert watched.tick(sources, hours=7).delivered.waiting == 1
    for _ in range(3):
        watched.tick(sources, hours=1)
    assert watched.receiver.told == [("firing", ORDERS)]


def test_sources_have_names_of_their_own() -> None:
    names = [source.name for source in SOURCES]
    assert len(set(names)) == len(names) == 8
