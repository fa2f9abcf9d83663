"""Killed at any moment: no transition is lost, and only what was being sent may come twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import time
from functools import partial
from itertools import pairwise
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from lakehouse_tests.embedded.airbyte.fixtures import eventually
from lakehouse_tests.observability.alerts.pipeline import store_of
from lakehouse_tests.observability.alerts.receiver import Receiver
from lakehouse_tests.observability.alerts.worker import look_at

KILLS = int(os.environ.get("TEST_KILLS", "15"))
SUBJECTS = ("a", "b", "c")


@pytest.mark.slow
def test_kill_nine(tmp_path: Path, receiver: Receiver) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([look_at.__module__])
    world, seed = tmp_path / "world.json", random.randrange(1000)
    print("seed", seed)
    chance = random.Random(seed)
    receiver.seconds = 0.01

    def show(subjects: set[str]) -> None:
        (tmp_path / "next.json").write_text(json.dumps(sorted(subjects)))
        (tmp_path / "next.json").replace(world)

    def start() -> ForkServerProcess:
        process = context.Process(target=look_at, args=(world, tmp_path, receiver.url), daemon=True)
        process.start()
        return process

    def knows(subjects: set[str]) -> bool:
        return set(store.open()) == {f"AssetStale/{subject}" for subject in subjects}

    store = store_of(tmp_path)
    firing: set[str] = set()
    expected: dict[str, int] = dict.fromkeys(SUBJECTS, 0)
    show(firing)
    process = start()
    for _ in range(KILLS):
        for subject in chance.sample(SUBJECTS, 2):
            firing ^= {subject}
            expected[subject] += 1
        show(firing)
        time.sleep(chance.random() * 0.15)
        process.kill()
        process.join()
        process = start()
        eventually(partial(knows, firing), 60)

    def all_is_told() -> bool:
        return not store.undelivered()

    eventually(all_is_told, 60)
    process.kill()
    process.join()

    told: dict[str, list[tuple[str, str]]] = {subject: [] for subject in SUBJECTS}
    repeated = 0
    for body in receiver.bodies:
        known = {(subject, transition) for subject, seen in told.items() for transition in seen}
        for one in body["alerts"]:
            transition = (one["startsAt"], one["status"])
            if transition not in (seen := told[one["labels"]["subject"]]):
                seen.append(transition)
        got = {(one["labels"]["subject"], (one["startsAt"], one["status"])) for one in body["alerts"]}
        repeated += bool(got & known)
    assert {subject: len(seen) for subject, seen in told.items()} == expected
    for seen in told.values():
        assert [status for _, status in seen] == ["firing", "resolved"] * (len(seen) // 2) + ["firing"] * (
            len(seen) % 2
        )
        assert all(earlier <= later for (earlier, _), (later, _) in pairwise(seen))
    assert repeated <= KILLS  # the message that was being sent
