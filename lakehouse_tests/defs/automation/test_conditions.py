"""The conditions as behaviours: what a tick asks for after what happened."""

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from lakehouse.defs.automation.conditions import PROPAGATE, REFRESH_ON_STALE, each_tick, propagate
from lakehouse.defs.automation.why import WHY
from lakehouse_tests.defs.automation.shelf import (
    BOARD,
    BRONZE,
    CUSTOMERS,
    EVERYTHING,
    FIRST,
    GOLD,
    LAST,
    METRICS,
    REFLECTION,
    SECOND,
    SILVER,
    WEEK,
    Shelf,
    shelf,
)

DERIVED = EVERYTHING[1:]


@pytest.fixture
def built() -> Shelf:
    made = shelf()
    made.build()
    return made


def test_nothing_is_asked_for_at_first() -> None:
    assert shelf().tick() == {}


def test_one_run_of_everything_leaves_nothing_to_ask_for(built: Shelf) -> None:
    assert built.run(EVERYTHING, FIRST, LAST)
    assert built.tick() == {}
    assert built.tick() == {}


@pytest.mark.parametrize("why", ["changes", "refresh", "schedule"])
def test_what_goes_from_layer_to_layer_by_itself_is_left_alone(built: Shelf, why: str) -> None:
    for layer in ([BRONZE, SILVER], [GOLD], [METRICS, REFLECTION], [BOARD]):
        days = [FIRST, SECOND] if layer[0] in (BRONZE, GOLD) else []
        assert built.run(layer, *days, tags={WHY: why})
        assert built.tick() == {}


def test_a_late_day_goes_all_the_way(built: Shelf) -> None:
    """`eager` would look at the newest day only."""
    assert built.run([BRONZE], FIRST)
    assert built.tick() == {SILVER: {FIRST}, GOLD: {FIRST}}
    assert built.tick() == {}
    assert built.run([SILVER, GOLD], FIRST)
    assert built.tick() == {METRICS: {None}, REFLECTION: {None}, BOARD: {None}}


def test_exactly_the_days_that_changed_go_on(built: Shelf) -> None:
    assert built.run([SILVER], FIRST)
    assert built.run([SILVER], LAST)
    assert built.tick() == {GOLD: {FIRST, LAST}}
    assert built.run([GOLD], FIRST)
    assert built.run([GOLD], LAST)
    assert built.tick() == {METRICS: {None}, REFLECTION: {None}, BOARD: {None}}
    assert built.run([METRICS, REFLECTION, BOARD])
    assert built.tick() == {}


def test_missing_days_upstream_do_not_block() -> None:
    """`eager` would wait until every day of the week is there."""
    made = shelf()
    made.tick()
    assert made.run([CUSTOMERS])
    assert made.run([BRONZE], SECOND)
    assert made.tick()[SILVER] == {SECOND}
    assert made.run([SILVER, GOLD], SECOND)
    assert made.tick() == {METRICS: {None}, REFLECTION: {None}, BOARD: {None}}


def test_a_table_without_days_reaches_the_days_that_were_made() -> None:
    made = shelf()
    assert made.run([CUSTOMERS])
    assert made.run(EVERYTHING, FIRST, SECOND)
    made.tick()
    assert made.run([CUSTOMERS])
    assert made.tick() == {SILVER: {FIRST, SECOND}, GOLD: {FIRST, SECOND}}


def test_bronze_is_left_to_the_sensors_of_changes() -> None:
    made = shelf(followed=True)
    made.build()
    assert made.run([BRONZE], FIRST)
    assert made.tick() == {}
    assert made.run([SILVER], FIRST)
    assert made.tick() == {GOLD: {FIRST}}


@pytest.mark.parametrize("busy", DERIVED)
def test_nothing_is_asked_for_while_the_run_is_at_work(built: Shelf, busy: dg.AssetKey) -> None:
    seen: list[Any] = []
    built.during[busy] = lambda: seen.append(built.tick())
    assert built.run(EVERYTHING, FIRST, LAST)
    assert seen == [{}]
    assert built.tick() == {}


def test_a_day_that_changed_while_the_next_layer_was_at_work_is_asked_for_after_it(built: Shelf) -> None:
    seen: list[Any] = []

    def change() -> None:
        assert built.run([SILVER], FIRST)
        seen.append(built.tick())

    built.during[GOLD] = change
    assert built.run([GOLD], FIRST, SECOND)
    assert seen == [{}]


def fail_over_and_over(made: Shelf, ticks: int) -> int:
    """How often a tick asked for gold's first day, where each run of it fails at once."""
    asked = 0
    for _ in range(ticks):
        wanted = made.tick(hours=0.1)
        if FIRST in wanted.get(GOLD, ()):
            asked += 1
            assert not made.run([GOLD], FIRST)
    return asked


def test_what_fails_is_asked_for_once(built: Shelf) -> None:
    built.failing.add(GOLD)
    assert built.run([SILVER], FIRST)
    assert fail_over_and_over(built, 30) == 1


def test_what_fails_and_changes_upstream_is_asked_for_once_an_hour(built: Shelf) -> None:
    built.failing.add(GOLD)
    asked = 0
    for _ in range(20):  # every six minutes
        assert built.run([SILVER], FIRST)
        if FIRST in built.tick(hours=0.1).get(GOLD, ()):
            asked += 1
            assert not built.run([GOLD], FIRST)
    assert 1 <= asked <= 3


def test_what_failed_is_asked_for_after_its_cause_is_mended(built: Shelf) -> None:
    built.failing.add(GOLD)
    assert built.run([SILVER], FIRST)
    assert fail_over_and_over(built, 3) == 1
    assert built.run([SILVER], FIRST)
    built.failing.clear()
    assert built.tick(hours=1) == {GOLD: {FIRST}}


def test_a_run_that_made_bronze_and_failed_after_it_is_made_good_later(built: Shelf) -> None:
    built.failing.add(SILVER)
    assert not built.run([BRONZE, SILVER], FIRST)
    assert built.tick() == {}
    built.failing.clear()
    assert built.tick(hours=1.1) == {SILVER: {FIRST}, GOLD: {FIRST}}


def test_renaming_a_condition_forgets_nothing(built: Shelf) -> None:
    made = shelf(silver=propagate(plain=dg.AssetSelection.assets(CUSTOMERS)).with_label("of another name"))
    assert built.run([BRONZE], FIRST)
    made.instance, made.cursor, made.failing = built.instance, built.cursor, built.failing
    assert made.tick()[SILVER] == {FIRST}


def test_what_a_changed_condition_forgets_is_still_behind(built: Shelf) -> None:
    """`since_last_handled` begins anew when its conditions change: the nightly batch looks at what is made of what."""
    from lakehouse.defs.automation.plan import nodes_of
    from lakehouse.defs.automation.stale import Stale, stale_nodes

    built.failing.add(SILVER)
    assert not built.run([BRONZE, SILVER], FIRST)
    built.tick()
    other = shelf(silver=PROPAGATE)
    other.instance, other.cursor = built.instance, built.cursor
    assert other.tick(hours=1.1) == {}
    assert stale_nodes(nodes_of(other.defs), other.instance)[SILVER] == Stale(frozenset({FIRST}))


def tell_freshness(made: Shelf, key: dg.AssetKey, state: FreshnessState, before: FreshnessState) -> None:
    made.instance._report_runless_asset_event(  # what Dagster's freshness daemon calls
        FreshnessStateChange(
            key=key, new_state=state, previous_state=before, state_change_timestamp=made.now.timestamp()
        )
    )


def test_what_is_stale_is_refreshed_once_and_then_every_six_hours(built: Shelf) -> None:
    tell_freshness(built, REFLECTION, FreshnessState.FAIL, FreshnessState.PASS)
    asked = [REFLECTION in built.tick(hours=2) for _ in range(12)]
    assert asked[0]
    assert 4 <= sum(asked) <= 6


def test_what_is_fresh_again_is_left_alone(built: Shelf) -> None:
    tell_freshness(built, REFLECTION, FreshnessState.FAIL, FreshnessState.PASS)
    assert REFLECTION in built.tick()
    tell_freshness(built, REFLECTION, FreshnessState.PASS, FreshnessState.FAIL)
    assert not any(REFLECTION in built.tick(hours=1) for _ in range(8))


@pytest.mark.parametrize("partitions", [WEEK, dg.DailyPartitionsDefinition("2025-01-01", end_offset=1), None])
def test_bronze_is_merged_once_a_tick_after_its_stream_landed(partitions: Any) -> None:
    landing, bronze = dg.AssetKey(["landing", "orders"]), dg.AssetKey(["bronze", "orders"])

    @dg.asset(key=landing)
    def land() -> None: ...

    @dg.asset(
        key=bronze,
        deps=[landing],
        partitions_def=partitions,
        automation_condition=each_tick("0 * * * *", "UTC"),
    )
    def merge() -> None: ...

    made = Shelf(dg.Definitions(assets=[land, merge]))
    made.now += timedelta(days=1)

    def asked() -> int:
        done = dg.evaluate_automation_conditions(
            made.defs, made.instance, cursor=made.cursor, evaluation_time=made.now
        )
        made.cursor = done.cursor
        return done.total_requested

    assert asked() == 0
    made.now += timedelta(hours=1)
    assert asked() == 0  # the hour came, and nothing landed
    assert made.run([landing])
    assert asked() == 1
    assert asked() == 0
    assert made.run([landing])
    assert asked() == 0  # landed again within the hour
    made.now += timedelta(hours=1)
    assert asked() == 0
    assert made.run([landing])
    assert asked() == 1


def test_conditions_need_no_code_server() -> None:
    """One that Dagster cannot serialize is evaluated nowhere but in a sensor that asks for it."""
    for condition in (PROPAGATE, REFRESH_ON_STALE, each_tick("0 0 * * *", "UTC")):
        assert condition.is_serializable
        assert condition.get_label()
