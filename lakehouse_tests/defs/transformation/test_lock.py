"""Only one process of a home at a time lets dbt write, whoever started it."""

from __future__ import annotations

import subprocess
import sys
import threading

import dagster as dg

from lakehouse_tests.warehouse import Warehouse

STAGED = "silver/stg_products"
_HOLD = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"


def test_a_run_waits_for_that_of_another_process(shop: Warehouse, models: list[dg.AssetsDefinition]) -> None:
    assert shop.build(models, STAGED).success
    before = shop.catalog.load_table(("silver", "stg_products")).metadata_location
    lock = shop.home / "dbt" / "lock"
    other = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    done: list[bool] = []
    run = threading.Thread(target=lambda: done.append(shop.build(models, STAGED).success))
    run.start()
    run.join(5)
    assert run.is_alive()
    assert shop.catalog.load_table(("silver", "stg_products")).metadata_location == before
    other.kill()  # it does not give the lock back itself
    other.communicate()
    run.join(60)
    assert done == [True]
    assert shop.catalog.load_table(("silver", "stg_products")).metadata_location != before
