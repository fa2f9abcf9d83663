"""Row images of a real MariaDB's log: values of every width beside each other, NULL in every place, nothing kept."""

from __future__ import annotations

import gc

import pytest
from pymysqlreplication.packet import BinLogPacketWrapper

from lakehouse_tests.embedded.airbyte.mariadb import MariaDb
from lakehouse_tests.embedded.airbyte.test_airbyte_mysql_cdc import Follower, truth

LAST = {
    "d date": "'2024-02-29'",
    "n decimal(28,2)": "-1.25",
    "m2 mediumtext": "repeat('é', 70000)",
    "x tinyint": "-7",
}


@pytest.mark.slow
@pytest.mark.parametrize("last", LAST)
def test_null_in_every_place(mariadb: MariaDb, last: str) -> None:
    columns = {
        "m mediumtext": "''",
        "a smallint": "-2",
        "s varchar(300)": "'é'",
        "f bigint": "3",
        last: LAST[last],
    }
    mariadb.execute(f"CREATE TABLE t (id int PRIMARY KEY, {', '.join(columns)}) CHARSET utf8mb4")
    follower = Follower(mariadb, "t")
    follower.follow()
    rows = [
        [value if pattern >> place & 1 else "NULL" for place, value in enumerate(columns.values())]
        for pattern in range(2 ** len(columns))
    ]
    written = ", ".join(f"({number}, {', '.join(row)})" for number, row in enumerate(rows))
    mariadb.execute(f"INSERT INTO t VALUES {written}", "UPDATE t SET id = id + 100, a = f, m = 'm'")
    follower.follow()
    assert follower.values("t") == truth(mariadb, "t")
    assert len(follower.changes) == 3 * len(rows)


@pytest.mark.slow
def test_events_that_were_read_leave_memory_at_once(mariadb: MariaDb) -> None:
    mariadb.execute("CREATE TABLE t (id int PRIMARY KEY, wide mediumtext)")
    follower = Follower(mariadb, "t")
    follower.follow()
    mariadb.execute("INSERT INTO t SELECT seq, repeat('x', 10000) FROM seq_1_to_100")
    streams = follower.streams
    gc.collect()
    gc.disable()
    try:
        follower.follow(streams=streams)
        kept = [one for one in gc.get_objects() if isinstance(one, BinLogPacketWrapper)]
    finally:
        gc.enable()
    assert len(follower.rows["t"]) == 100
    assert len(kept) < 5
