"""The reflections of one dataset brought to what is declared, refreshed, and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lakehouse.catalog.datasets import Model
from lakehouse.catalog.meta import Reflection
from lakehouse.clients.dremio import DremioClient, ReflectionState, quoted
from lakehouse.defs.acceleration.definition import agrees, definition_of
from lakehouse.errors import PermanentError, TransientError

READY = "CAN_ACCELERATE"
HOPELESS = frozenset({"GIVEN_UP", "FAILED", "INVALID", "INCOMPLETE", "CANNOT_ACCELERATE_MANUAL"})
BUSY = frozenset({"RUNNING", "PENDING"})
UNCHANGED_AFTER = 15.0
"""Seconds after which a refresh that changes nothing is taken as passed over: the dataset has not changed."""


@dataclass(frozen=True)
class Refreshed:
    state: ReflectionState
    action: str
    """created, updated or refreshed."""
    seconds: float


def reconcile(
    dremio: DremioClient,
    model: Model,
    wanted: Iterable[Reflection],
    log: Callable[[str], None],
    *,
    timeout: float = 600.0,
) -> dict[str, Refreshed]:
    """Reconcile every declared reflection of the dataset, drop undeclared ones, refresh and wait.

    Returns those in `wanted` by name; `timeout` in seconds.

    Raises:
        PermanentError: Dremio does not know the dataset, or has given up on a reflection; with its reason.
        TransientError: not ready in time.
    """
    started = time.monotonic()
    dataset = dremio.by_path(*model.relation.parts)
    if dataset is None:
        raise PermanentError(
            f"does not know {model.relation}",
            where=f"Dremio at {dremio.settings.url}",
            remedy="materialize the model first",
        )
    if model.materialized != "view":
        dremio.execute(f"ALTER TABLE {quoted(*model.relation.parts)} REFRESH METADATA")
    dataset_id = str(dataset["id"])
    before = {state.name: state for state in _without_duplicates(dremio, dataset_id, log)}
    actions = _apply(dremio, model, dataset_id, before, log)
    if "refreshed" in actions.values():
        dremio.refresh_reflections(dataset_id)
    done = {}
    for reflection in wanted:
        old = before[reflection.name] if actions[reflection.name] == "refreshed" else None
        state = _ready(dremio, dataset_id, reflection.name, old, started=started, timeout=timeout)
        done[reflection.name] = Refreshed(state, actions[reflection.name], time.monotonic() - started)
    return done


def _apply(
    dremio: DremioClient,
    model: Model,
    dataset_id: str,
    before: dict[str, ReflectionState],
    log: Callable[[str], None],
) -> dict[str, str]:
    actions = {}
    for reflection in model.reflections:
        definition = definition_of(reflection, dataset_id)
        existing = before.get(reflection.name)
        if existing is None:
            dremio.create_reflection(definition)
            actions[reflection.name] = "created"
        elif not agrees(existing, definition):
            dremio.update_reflection(existing, definition)
            actions[reflection.name] = "updated"
        else:
            actions[reflection.name] = "refreshed"
    for name in before.keys() - actions.keys():
        log(f"dropping reflection {name} of {model.relation}: it is not declared")
        dremio.delete_reflection(before[name].id)
    return actions


def _without_duplicates(
    dremio: DremioClient, dataset_id: str, log: Callable[[str], None]
) -> list[ReflectionState]:
    kept: dict[str, ReflectionState] = {}
    for state in dremio.reflections(dataset_id):
        if state.name in kept:
            log(f"dropping reflection {state.id}: another one is named {state.name} too")
            dremio.delete_reflection(state.id)
        else:
            kept[state.name] = state
    return list(kept.values())


def _ready(
    dremio: DremioClient,
    dataset_id: str,
    name: str,
    old: ReflectionState | None,
    *,
    started: float,
    timeout: float,
) -> ReflectionState:
    where = f"Dremio at {dremio.settings.url}"
    pause = 0.05
    while True:
        state = next((s for s in dremio.reflections(dataset_id) if s.name == name), None)
        waited = time.monotonic() - started
        if state is None:
            raise PermanentError(f"reflection {name} disappeared while it was built", where=where)
        # Until the refresh has begun, the server still tells how the one before it ended.
        moved = old is None or _progress(state) != _progress(old) or waited > UNCHANGED_AFTER
        if moved and {state.status, state.refresh} & HOPELESS:
            reason = state.problem or "no reason given"
            raise PermanentError(f"gave up on reflection {name} ({state.status}): {reason}", where=where)
        renewed = old is None or state.last_refresh != old.last_refresh or waited > UNCHANGED_AFTER
        if state.status == READY and state.refresh not in BUSY and renewed:
            return state
        if waited > timeout:
            raise TransientError(
                f"reflection {name} is still {state.status} ({state.refresh}) after {timeout:g} s",
                where=where,
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 2.0)


def _progress(state: ReflectionState) -> tuple[str, str, str | None, str]:
    return state.status, state.refresh, state.last_refresh, state.problem
