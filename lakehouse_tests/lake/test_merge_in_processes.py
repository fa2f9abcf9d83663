"""Merges that are killed, and merges that race: the table is right afterwards, and nothing is there twice."""

from __future__ import annotations

import multiprocessing
import random
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.lake.iceberg import open_catalog
from lakehouse.lake.merge import merge_table
from lakehouse.lake.merge_spec import PeriodPartition
from lakehouse.lake.orphans import remove_orphans

EPOCH = 1_764_000_000_000
FIELDS = {"order_id": pa.int64(), "order_date": pa.date32(), "amount": pa.float64()}
CDC = FIELDS | {"_ab_cdc_lsn": pa.float64(), "_ab_cdc_deleted_at": pa.string()}
DAYS = PeriodPartition("order_date")

# Children are forked from a server that has imported everything, so a merge begins at once.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["lakehouse.lake.merge", "pyiceberg.catalog.sql", "duckdb", "pyarrow.fs"])


def start(lake: Any) -> Any:
    """A process that merges the table."""
    process = PROCESSES.Process(target=merge_table, args=(lake.spec(partition=DAYS), lake.settings))
    process.start()
    return process


def finish(process: Any) -> None:
    process.join(timeout=60)
    assert process.exitcode == 0


def kill(process: Any, after: float) -> None:
    time.sleep(after)
    process.kill()
    process.join()


def changes(sync: int, rows: int = 3000) -> list[dict[str, Any]]:
    """A sync that deletes every seventh key of the one before it, and updates and moves the others."""
    first = date(2025, 1, 1)
    made = []
    for key in range(rows):
        row: dict[str, Any] = {"order_id": key, "_ab_cdc_lsn": float(sync * 1_000_000 + key)}
        if sync and (key + sync) % 7 == 0:
            row["_ab_cdc_deleted_at"] = "2025-06-02T00:00:00Z"
        else:
            row |= {"order_date": first + timedelta(days=(key + sync) % 40), "amount": float(sync)}
        made.append(row)
    return made


def expected(syncs: int, rows: int = 3000) -> dict[int, tuple[date, float]]:
    state: dict[int, tuple[date, float]] = {}
    for sync in range(syncs):
        for row in changes(sync, rows):
            if "_ab_cdc_deleted_at" in row:
                state.pop(row["order_id"], None)
            else:
                state[row["order_id"]] = (row["order_date"], row["amount"])
    return state


def table(lake: Any) -> dict[int, tuple[date, float]]:
    rows = lake.rows(["order_id", "order_date", "amount"])
    return {key: (row["order_date"], row["amount"]) for key, row in rows.items()}


@pytest.mark.slow
def test_killed_at_any_moment_the_next_merge_makes_it_right(lake: Any) -> None:
    """kill -9 spread over the whole of a merge; each time the table is that of the old or the new snapshot."""
    lake.land(changes(0), CDC)
    finish(start(lake))
    lake.land(changes(0), CDC, epoch=EPOCH + 1)
    began = time.monotonic()
    finish(start(lake))
    whole = time.monotonic() - began
    applied = {True: 0, False: 0}
    moments = random.Random(7)
    kills = 8
    for sync in range(1, kills + 1):
        lake.land(changes(sync), CDC, epoch=EPOCH + 1 + sync)
        kill(start(lake), after=2 * whole * (sync - moments.random()) / kills)
        found = table(lake)
        new = found == expected(sync + 1)
        assert new or found == expected(sync)
        applied[new] += 1
        if sync % 2:  # every other time the next sync comes before the repeated merge
            merge_table(lake.spec(partition=DAYS), lake.settings)
            assert table(lake) == expected(sync + 1)
        elif not new:
            merge_table(lake.spec(partition=DAYS), lake.settings)
    assert applied[False], "no kill came before a commit: the test did not test"
    assert table(lake) == expected(kills + 1)
    _only_referred_files_remain(lake)


@pytest.mark.slow
def test_killed_during_the_very_first_merge(lake: Any) -> None:
    lake.land(changes(0), CDC)
    for pause in (0.05, 0.1, 0.2, 0.3):
        kill(start(lake), after=pause)
    merge_table(lake.spec(partition=DAYS), lake.settings)
    assert table(lake) == expected(1)


@pytest.mark.slow
def test_merges_of_one_table_race(lake: Any) -> None:
    """Several processes start at once, the first time to create the table; together they apply each row once."""
    for sync in range(3):
        lake.land(changes(sync), CDC, epoch=EPOCH + sync)
        for process in [start(lake) for _ in range(3)]:
            finish(process)
        assert table(lake) == expected(sync + 1)
        iceberg = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
        assert len(iceberg.snapshots()) == sync + 1
    _only_referred_files_remain(lake)


@pytest.mark.slow
def test_first_use_of_the_catalogue_by_several_processes(lake: Any) -> None:
    processes = [PROCESSES.Process(target=open_catalog, args=(lake.settings,)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        finish(process)
    assert sorted(open_catalog(lake.settings).list_namespaces()) == [("bronze",), ("gold",), ("silver",)]


def test_orphans_are_removed_and_nothing_else(lake: Any) -> None:
    lake.land(changes(0, 100), CDC)
    merge_table(lake.spec(partition=DAYS), lake.settings)
    lake.land(changes(1, 100), CDC, epoch=EPOCH + 1)
    merge_table(lake.spec(partition=DAYS), lake.settings)
    orphan = Path(lake.home) / "lake/bronze/shop/orders/data/order_date=2025-01-01/crashed-00000.parquet"
    orphan.write_bytes(b"half a file")
    assert remove_orphans(("bronze", "shop__orders"), lake.settings) == [], "too young"
    removed = remove_orphans(("bronze", "shop__orders"), lake.settings, older_than=timedelta(0))
    assert [file.path for file in removed] == [str(orphan)]
    assert table(lake) == expected(2, 100)
    iceberg = open_catalog(lake.settings).load_table(("bronze", "shop__orders"))
    first = iceberg.history()[0].snapshot_id
    assert iceberg.scan(snapshot_id=first).to_arrow().num_rows == 100, "history is readable"
    assert remove_orphans(("bronze", "unknown"), lake.settings, older_than=timedelta(0)) == []


def _only_referred_files_remain(lake: Any) -> None:
    remove_orphans(("bronze", "shop__orders"), lake.settings, older_than=timedelta(0))
    before = table(lake)
    assert remove_orphans(("bronze", "shop__orders"), lake.settings, older_than=timedelta(0)) == []
    assert table(lake) == before
