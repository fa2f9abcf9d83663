"""Restarts come later and later, are bounded, and old deaths are forgotten."""

from __future__ import annotations

from lakehouse.embedded.restarts import MAX_DELAY_SECONDS, WINDOW_SECONDS, RestartPolicy


def test_delays_double_until_it_is_given_up() -> None:
    policy = RestartPolicy(4)
    assert [policy.delay_after_death(second) for second in range(5)] == [0.5, 1, 2, 4, None]


def test_delay_has_a_ceiling() -> None:
    policy = RestartPolicy(100)
    delays = [policy.delay_after_death(second) for second in range(20)]
    assert max(delay for delay in delays if delay is not None) == MAX_DELAY_SECONDS


def test_deaths_outside_the_window_do_not_count() -> None:
    policy = RestartPolicy(1)
    assert policy.delay_after_death(0) == 0.5
    assert policy.delay_after_death(WINDOW_SECONDS + 1) == 0.5
    assert policy.delay_after_death(WINDOW_SECONDS + 2) is None
