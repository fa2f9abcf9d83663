"""One tick of a sensor of changes, from what it remembers, what runs, and what is found, to what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import dagster as dg
from msgspec.structs import replace

from lakehouse.defs.automation.changes.look import Found
from lakehouse.defs.automation.changes.runs import Place, failed
from lakehouse.defs.automation.changes.state import Batch, Phases, State, batch_id

MOST_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 10.0
GIVEN_UP_SECONDS = 600.0
"""How long a batch that was given up is left alone; then it is tried again once, with what came since."""

Runs = Mapping[Place, dg.DagsterRun]


class Tick(NamedTuple):
    """What a tick comes to."""

    state: State
    asked: Sequence[int] = ()
    """The builds of the batch's phase to ask runs for, by their places."""
    said: str = ""
    """For people."""
    objects: Sequence[str] = ()
    """The landed objects behind a new batch."""
    verdict: str | None = None
    """Why a batch was given up; empty when one was built."""


def tick(
    state: State, runs: Callable[[Batch], Runs], look: Callable[[int | None], Found], plan: Plan, now: float
) -> Tick:
    """Wait for the batch that is at work, go on with it, or begin one; the cursor moves when one is built.

    Args:
        state: the cursor.
        runs: the newest attempt at every build of a batch.
        look: what is not built, see `look.look`.
        plan: phases of what is found.
        now: seconds since 1970.
    """
    verdict: str | None = None
    if state.batch is not None:
        done = _go_on(state, state.batch, runs(state.batch), now)
        if done.state.batch is not None or done.verdict:
            return done
        state, verdict = done.state, done.verdict
    if now < state.wait_until:
        return Tick(state, said=f"given up; tried again in {state.wait_until - now:.0f} s")
    found = look(state.built)
    planned = plan(found)
    if not planned:
        return Tick(State(found.built, failures=state.failures), said="nothing new", verdict=verdict)
    attempt = MOST_ATTEMPTS if state.failures else 1
    round_ = f"-{state.failures}" if state.failures else ""  # what was given up is found again as it was
    id_ = f"{batch_id(planned, state.built, found.objects)}{round_}"
    batch = Batch(id_, planned, found.built, attempt=attempt)
    return Tick(
        State(state.built, batch, state.failures),
        range(len(planned[0])),
        objects=found.objects,
        verdict=verdict,
    )


Plan = Callable[[Found], Phases]


def _go_on(state: State, batch: Batch, runs: Runs, now: float) -> Tick:
    builds = batch.phases[batch.phase]
    known = {index: runs[batch.phase, index] for index in range(len(builds)) if (batch.phase, index) in runs}
    missing = [index for index in range(len(builds)) if index not in known]
    if missing:
        return Tick(state, missing)
    at_work = [run for run in known.values() if not run.is_finished]
    if at_work:
        return Tick(state, said=f"batch {batch.id} is built by run {at_work[0].run_id}")
    broken = failed(known.values())
    if broken:
        again = [index for index, run in known.items() if run in broken]
        return _try_again(state, batch, again, broken[0].run_id, now)
    if batch.phase + 1 < len(batch.phases):
        attempt = batch.attempt if state.failures else 1
        following = replace(batch, phase=batch.phase + 1, attempt=attempt)
        return Tick(State(state.built, following, state.failures), range(len(batch.phases[following.phase])))
    return Tick(State(batch.built), said=f"batch {batch.id} is built", verdict="")


def _try_again(state: State, batch: Batch, builds: list[int], run_id: str, now: float) -> Tick:
    if batch.attempt >= MOST_ATTEMPTS:
        why = f"run {run_id} failed, attempt {batch.attempt} of {MOST_ATTEMPTS}"
        given_up = State(state.built, None, state.failures + 1, now + GIVEN_UP_SECONDS)
        return Tick(given_up, said=f"batch {batch.id} is given up: {why}", verdict=why)
    if batch.retry_at is None:
        pause = FIRST_PAUSE_SECONDS * 2 ** (batch.attempt - 1)
        waiting = replace(batch, retry_at=now + pause)
        return Tick(
            State(state.built, waiting, state.failures), said=f"run {run_id} failed; again in {pause:.0f} s"
        )
    if now < batch.retry_at:
        return Tick(state, said=f"run {run_id} failed; again in {batch.retry_at - now:.0f} s")
    following = replace(batch, attempt=batch.attempt + 1, retry_at=None)
    return Tick(State(state.built, following, state.failures), builds)
