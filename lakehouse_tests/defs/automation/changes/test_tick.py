"""The order of things between ticks, without a lake: runs are ends that the test chooses."""

from __future__ import annotations

import dagster as dg
from dagster import DagsterRun, DagsterRunStatus

from lakehouse.defs.automation.changes.look import Found
from lakehouse.defs.automation.changes.runs import Place
from lakehouse.defs.automation.changes.state import Batch, Build, Phases, State
from lakehouse.defs.automation.changes.tick import (
    FIRST_PAUSE_SECONDS,
    GIVEN_UP_SECONDS,
    MOST_ATTEMPTS,
    Tick,
    tick,
)
from lakehouse.defs.automation.stale import Stale

KEY = dg.AssetKey(["bronze", "orders"])
ONE = (Build(("bronze/orders",), ("2025-01-01", "2025-01-01")),)
TWO_PHASES: Phases = ((*ONE, *ONE), ONE)
SUCCESS, FAILURE, STARTED = DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.STARTED


class World:
    """What ticks see: how runs stand, and what there is to build."""

    def __init__(self, planned: Phases = (ONE,)) -> None:
        self.state, self.planned, self.now = State(), planned, 1000.0
        self.runs: dict[Place, DagsterRun] = {}
        self.looks = 0

    def tick(self) -> Tick:
        done = tick(self.state, lambda batch: self.runs, self._look, lambda found: self.planned, self.now)
        self.state = State.read(done.state.text)
        return done

    def end(self, status: DagsterRunStatus, *places: Place) -> None:
        self.runs |= {place: DagsterRun(job_name="changes", status=status) for place in places}

    def batch(self) -> Batch:
        assert self.state.batch is not None
        return self.state.batch

    def _look(self, built: int | None) -> Found:
        self.looks += 1
        return Found({KEY: Stale()}, 7, ("orders/date=2025-01-01/1_0.parquet",))


def test_phases_follow_each_other_and_the_cursor_moves_when_all_are_built() -> None:
    world = World(TWO_PHASES)
    first = world.tick()
    assert list(first.asked) == [0, 1]
    world.end(STARTED, (0, 0), (0, 1))
    assert not world.tick().asked
    world.end(SUCCESS, (0, 0))
    assert not world.tick().asked, "the other run of the phase is at work"
    world.end(SUCCESS, (0, 1))
    assert list(world.tick().asked) == [0]
    assert world.state.built is None
    assert world.looks == 1
    world.planned = ()
    world.end(SUCCESS, (1, 0))
    assert world.tick().verdict == ""
    assert (world.state.batch, world.state.built) == (None, 7)


def test_a_run_that_was_asked_for_and_is_not_there_is_asked_for_again_under_the_same_key() -> None:
    world = World()
    world.tick()
    before = world.batch()
    assert list(world.tick().asked) == [0]
    assert world.batch() == before


def test_only_failed_runs_are_tried_again_with_pauses_that_double_and_a_bound() -> None:
    world = World(TWO_PHASES)
    world.tick()
    world.end(SUCCESS, (0, 0))
    for attempt in range(1, MOST_ATTEMPTS):
        world.end(FAILURE, (0, 1))
        pause = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
        assert not world.tick().asked
        world.now += pause - 1
        assert not world.tick().asked
        world.now += 1
        assert list(world.tick().asked) == [1]
        assert world.batch().attempt == attempt + 1
    given_up = world.tick()
    assert given_up.verdict
    assert world.state.batch is None
    assert world.state.built is None, "nothing of it counts as built"


def test_what_was_given_up_is_found_again_later_and_tried_once_a_round() -> None:
    world = World()
    asked = 0
    for _ in range(400):  # ticks of ten seconds: a bit over an hour
        done = world.tick()
        asked += len(done.asked)
        for index in done.asked:
            world.end(FAILURE, (world.batch().phase, index))
        world.now += 10
    assert asked <= MOST_ATTEMPTS + 4000 / GIVEN_UP_SECONDS + 1, "no storm"
    assert asked > MOST_ATTEMPTS, "but it is not forgotten"
    ids = {world.batch().id} if world.state.batch else set()
    assert all("-" in id_ for id_ in ids), "a later round is another batch: its runs have keys of their own"


def test_a_success_ends_the_failure() -> None:
    world = World()
    world.state = State(built=3, failures=2)
    world.tick()
    world.end(SUCCESS, (0, 0))
    world.planned = ()
    assert world.tick().verdict == ""
    assert world.state.failures == 0


def test_the_same_changes_give_the_same_batch() -> None:
    one, other = World(), World()
    one.tick()
    other.tick()
    assert one.batch() == other.batch()
